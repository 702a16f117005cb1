"""Who may read the pages for operators."""

from typing import Any

import pytest

from fast_priority.errors import OperatorsOnly, OperatorTokenRequired
from fast_priority.gateway.operator_access import check_operator

TOKEN = "a-token"


def scope(*fields: tuple[bytes, bytes], client: tuple[str, int] | None = ("127.0.0.1", 5)) -> dict[str, Any]:
    return {"headers": list(fields), "client": client}


@pytest.mark.parametrize("value", [b"Bearer a-token", b"bearer a-token", b"BEARER  a-token"])
def test_the_token(value: bytes) -> None:
    """Whatever the address, the token opens the page."""
    check_operator(scope((b"authorization", value), client=("192.0.2.7", 5)), TOKEN)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [b"Bearer"],
        [b"Bearer "],
        [b"Bearer another"],
        [b"Bearer a-toke"],
        [b"Bearer a-token2"],
        [b"Basic a-token"],
        [b"a-token"],
        [b"Bearer \xff"],
        [b"Bearer a-token", b"Bearer a-token"],
    ],
)
def test_another_token(values: list[bytes]) -> None:
    """Without the token, in one field, nobody may read it: no client on this machine either."""
    with pytest.raises(OperatorTokenRequired, match="FAST_PRIORITY_OPERATOR_TOKEN"):
        check_operator(scope(*((b"authorization", value) for value in values)), TOKEN)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_from_here(address: str) -> None:
    """Clients on this machine may read it."""
    check_operator(scope(client=(address, 5)), None)


@pytest.mark.parametrize("client", [("192.0.2.7", 5), ("10.0.0.1", 5), ("::2", 5), ("testclient", 5), None])
def test_without_a_token_from_elsewhere(client: tuple[str, int] | None) -> None:
    """No other client may, nor one without an address, whatever it sends; the error names the variable."""
    for fields in ([], [(b"authorization", b"Bearer ")]):
        with pytest.raises(OperatorsOnly, match="FAST_PRIORITY_OPERATOR_TOKEN is not set"):
            check_operator(scope(*fields, client=client), None)


@pytest.mark.parametrize("name", [b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"])
def test_without_a_token_through_a_proxy(name: bytes) -> None:
    """A proxy on this machine passes on the requests of others, so it does not count as this machine."""
    with pytest.raises(OperatorsOnly):
        check_operator(scope((name, b"192.0.2.7")), None)
