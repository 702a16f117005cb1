"""The job of a stock rq worker looks for its gateway before it forwards."""

from typing import cast

import pytest

from fast_priority import job
from fast_priority.broker.consumer import GatewayState, RqConnection

ALIVE, GONE, UNKNOWN = GatewayState.ALIVE, GatewayState.GONE, GatewayState.UNKNOWN


class Looks:
    """Answers looks for a gateway with these states, and with the last one again and again."""

    def __init__(self, *states: GatewayState) -> None:
        self._states = list(states)

    def gateway_state(self, gateway_id: str) -> GatewayState:
        return self._states.pop(0) if len(self._states) > 1 else self._states[0]


@pytest.mark.parametrize(
    ("states", "lives"),
    [
        ([ALIVE], True),
        ([GONE], False),
        ([UNKNOWN, UNKNOWN, ALIVE], True),
        ([UNKNOWN, GONE], False),
        ([UNKNOWN], False),
    ],
)
def test_it_looks_until_it_is_known(states: list[GatewayState], lives: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither sends nor drops a request while it is unknown whether its gateway lives; but it does not wait long."""
    monkeypatch.setattr(job, "_LOOK_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(job, "GATEWAYS_ARE_BACK_SECONDS", 0.2 if UNKNOWN in states[-1:] else 60)
    assert job._gateway_lives("gateway", cast(RqConnection, Looks(*states))) is lives
