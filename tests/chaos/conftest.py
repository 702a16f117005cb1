"""One rig per test process: restored before each scenario, and checked to have recovered after it."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.client_request import ClientRequest
from tests.chaos.load.judging import Allowed, RequestRecord, count, find_broken
from tests.chaos.recording import LoadObservation, Observation, record
from tests.chaos.redis_clock import RedisClock, clock_unavailable_reason
from tests.chaos.rig import Rig

Observe = Callable[..., str]
"""Records the result of a request at a stage and returns it as text; `within_seconds` is the time limit."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "failure(fault): the scenario is a row of the failure table for this fault")
    config.addinivalue_line("markers", "gateway(**environment): settings of the gateway in this scenario")
    config.addinivalue_line("markers", "without_load: only the scenario itself sends requests")
    config.addinivalue_line("markers", "allows(**what): what may happen to requests of the load; the fields of Allowed")


class Rigs:
    """The rig of this test process; a rig that did not recover is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = ExitStack()
        self._rig: Rig | None = None

    def get(self) -> Rig:
        if self._rig is None:
            clock = None if clock_unavailable_reason() else RedisClock(self._folder)
            self._rig = self._parts.enter_context(Rig(self._folder, clock))
        return self._rig

    def discard(self) -> None:
        self._rig = None
        self._parts.close()


@pytest.fixture(scope="session")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rigs]:
    made = Rigs(tmp_path_factory.mktemp("chaos"))
    yield made
    made.discard()


@pytest.fixture
def rig(rigs: Rigs, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Return a rig without faults, under load. Three checks apply to every scenario.

    Each request of the load is judged, no key of the scenario stays in Redis, and every slot works again.
    """
    settings, allows = (request.node.get_closest_marker(name) for name in ("gateway", "allows"))
    try:
        rig = rigs.get()
        rig.restore(**(settings.kwargs if settings else {}))
        if request.node.get_closest_marker("without_load"):
            yield rig
        else:
            rig.begin_load()
            yield rig
            seen = rig.end_load()
            judge_load(request, seen, Allowed(**allows.kwargs) if allows else Allowed(), rig.stalls)
        rig.wait_until_recovered()
    except BaseException:
        rigs.discard()
        raise


def judge_load(
    request: pytest.FixtureRequest, seen: list[RequestRecord], allowed: Allowed, stalls: list[tuple[float, float]]
) -> None:
    """Record the load of a scenario, and fail if one of its requests breaks a promise."""
    if fault := _fault_of(request):
        record(LoadObservation(fault, _scenario_of(request), len(seen), count(seen)))
    broken = find_broken(seen, allowed, stalls)
    lines = [f"{promise}:\n  " + "\n  ".join(map(str, ones[:5])) for promise, ones in broken.items()]
    assert not broken, "\n".join([f"of the load ({count(seen)}), these break a promise:", *lines])


def _fault_of(request: pytest.FixtureRequest) -> str:
    """Return the fault that the scenario is a table row for; empty if it is not in the table."""
    marker = request.node.get_closest_marker("failure")
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    return str(marker.args[0] if marker else parameters.get("fault", ""))


def _scenario_of(request: pytest.FixtureRequest) -> str:
    return f"{request.path.name}::{request.function.__name__}"


@pytest.fixture
def observe(rig: Rig, request: pytest.FixtureRequest) -> Observe:
    """Return a function that waits for a request, records it, and returns "200, 1 attempt" or the like."""
    return observing(request, rig.attempts)


def observing(request: pytest.FixtureRequest, attempts_of: Callable[[ClientRequest], int]) -> Observe:
    """Return the recorder for this test; `attempts_of` returns how often a request reached the target."""
    fault = _fault_of(request)
    promise = " ".join((inspect.getdoc(request.function) or "").split())

    def observe_request(stage: str, sent: ClientRequest, within_seconds: float = 30.0) -> str:
        try:
            answer = sent.result(within_seconds)
            outcome, seconds = str(answer), answer.seconds
        except TimeoutError:
            outcome, seconds = f"no answer in {within_seconds:g} s", within_seconds
        attempts = attempts_of(sent)
        worker = "stock" if "stock" in request.path.name else "ours"
        record(
            Observation(fault, stage, _scenario_of(request), promise, worker, sent.method, outcome, seconds, attempts)
        )
        return f"{outcome}, {attempts} attempt{'' if attempts == 1 else 's'}"

    return observe_request
