"""X-Request-ID: which names of clients are taken over."""

import pytest

from fast_priority.http.message import Fields
from fast_priority.http.request_id import new_request_id, request_id_of


@pytest.mark.parametrize("value", [b"a", b"7f3c-1!#$%&()*+-./:<=>?@[]^_`{|}~", b"x" * 128, b"0" * 32])
def test_a_sane_one(value: bytes) -> None:
    """One of 1 to 128 visible ASCII characters is taken over, whatever the case of the field's name."""
    assert request_id_of([(b"host", b"x"), (b"X-Request-ID", value)]) == value.decode()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"x" * 129,
        b"a b",
        b"a\tb",
        b'"a"',
        b"it's",
        b"a,b",
        b"a;b",
        b"\xff",
        "é".encode(),
        b"a\x00",
        b"a\n",
        b"\x7f",
    ],
)
def test_one_that_is_not_sane(value: bytes) -> None:
    """One that would be read in two ways, or could end a line of a log, counts as not there."""
    assert request_id_of([(b"x-request-id", value)]) is None


@pytest.mark.parametrize("fields", [[], [(b"x-request-id", b"a")] * 2, [(b"x-request-id2", b"a")]])
def test_there_is_one_or_none(fields: Fields) -> None:
    """Without the field, or with several, there is none."""
    assert request_id_of(fields) is None


def test_a_new_one() -> None:
    """Each is another one, and is sane itself."""
    made = {new_request_id() for _ in range(100)}
    assert len(made) == 100
    assert all(request_id_of([(b"x-request-id", one.encode())]) == one for one in made)
