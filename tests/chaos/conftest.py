"""A rig for each test process, mended before each scenario, and seen to have recovered after it."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.asking import Asked
from tests.chaos.recording import Observation, record
from tests.chaos.rig import Rig

See = Callable[..., str]
"""Records what came of requests at a stage, and gives it in words; `within_seconds` is how long it is waited for."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "failure(fault): the scenario is a row of the failure table for this fault")
    config.addinivalue_line("markers", "gateway(**environment): settings of the gateway that the scenario wants")


class Rigs:
    """The rig of this test process; one that did not recover is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts = ExitStack()
        self._rig: Rig | None = None

    def get(self) -> Rig:
        if self._rig is None:
            self._rig = self._parts.enter_context(Rig(self._folder))
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
    """A rig where all is well. Behind every scenario stands one more promise: nothing of it stays, and all goes on."""
    settings = request.node.get_closest_marker("gateway")
    try:
        rigs.get().mend(**(settings.kwargs if settings else {}))
        yield rigs.get()
        rigs.get().until_recovered()
    except BaseException:
        rigs.discard()
        raise


@pytest.fixture
def see(rig: Rig, request: pytest.FixtureRequest) -> See:
    """Looks at what came of a request: "200, 1 attempt" or "502 request-lost, 0 attempts"; and records it."""
    return seeing(request, rig.attempts)


def seeing(request: pytest.FixtureRequest, attempts_of: Callable[[Asked], int]) -> See:
    """Give what looks for the test that asks for it; `attempts_of` tells how often a request reached the target."""
    marker = request.node.get_closest_marker("failure")
    fault = marker.args[0] if marker else request.getfixturevalue("fault")
    promise = " ".join((inspect.getdoc(request.function) or "").split())

    def look(stage: str, asked: Asked, within_seconds: float = 30.0) -> str:
        try:
            answer = asked.answer(within_seconds)
            outcome, seconds = str(answer), answer.seconds
        except TimeoutError:
            outcome, seconds = f"no answer in {within_seconds:g} s", within_seconds
        attempts = attempts_of(asked)
        worker = "stock" if "stock" in request.path.name else "ours"
        scenario = f"{request.path.name}::{request.function.__name__}"
        record(Observation(fault, stage, scenario, promise, worker, asked.method, outcome, seconds, attempts))
        return f"{outcome}, {attempts} attempt{'' if attempts == 1 else 's'}"

    return look
