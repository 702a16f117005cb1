"""What both kinds of worker use to forward a request."""

import pytest

from fast_priority.http.message import Request, TargetPolicy
from fast_priority.protocol.frames import ForwardCall
from fast_priority.settings import Settings
from fast_priority.slots.forward import target_choice

CALL = ForwardCall(Request("GET", b"/", [], b""), TargetPolicy("http://of-the-gateway", 1, 1, 0))


@pytest.mark.parametrize(
    ("own", "chosen"), [(None, "http://of-the-gateway"), ("http://of-the-worker", "http://of-the-worker")]
)
def test_a_workers_own_target_comes_first(own: str | None, chosen: str) -> None:
    """A call goes to the target that the worker's own settings name, else to the one that the call names."""
    assert target_choice(Settings.load(target_base_url=own))(CALL).base_url == chosen


@pytest.mark.parametrize(
    ("own", "noted"),
    [
        (None, []),
        ("http://of-the-gateway", []),
        ("http://OF-the-gateway:/", []),
        ("http://of-the-worker", [("http://of-the-worker", "http://of-the-gateway")]),
    ],
)
def test_another_target_than_the_workers_own_is_noted(own: str | None, noted: list[tuple[str, str]]) -> None:
    """A call that names another target than the worker's own settings is noted, with both."""
    found: list[tuple[str, str]] = []
    target_choice(Settings.load(target_base_url=own), lambda own, other: found.append((own, other)))(CALL)
    assert found == noted
