"""The rules and the decoders of real servers: what one of them serves as a low path is never high or direct."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

import pytest

from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import Listing, RequestFacts, Rules
from tests.acceptance.fidelity.contenders import NotInstalled
from tests.path_servers import (
    BASE,
    DIRECT,
    EXACT,
    Ask,
    nginx_locations,
    python_files,
    starlette_files,
    starlette_routes,
)
from tests.path_spellings import CHOSEN, random_path

SERVERS = ["nginx", "uvicorn and Starlette's routes", "uvicorn and Starlette's files", "http.server"]
SEEDS = [1, 2, 3, 4]
_PATHS_OF_A_SEED = 300


def serving(name: str, folder: Path) -> AbstractContextManager[Ask]:
    if name == "nginx":
        return nginx_locations(folder)
    if name == "http.server":
        return python_files(folder)
    return starlette_files(folder) if "files" in name else starlette_routes()


@pytest.fixture(scope="module", params=SERVERS)
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    try:
        with serving(request.param, tmp_path_factory.mktemp("paths")) as found:
            yield found
    except NotInstalled as why:
        pytest.skip(str(why))


def spellings(seed: int) -> list[str]:
    random = Random(seed)
    return [random_path(random) for _ in range(_PATHS_OF_A_SEED)]


CORPUS = [pytest.param(CHOSEN, id="chosen"), *(pytest.param(spellings(seed), id=f"seed {seed}") for seed in SEEDS)]


@pytest.mark.parametrize("ignore_outer_slashes", [True, False])
@pytest.mark.parametrize("paths", CORPUS)
def test_what_is_served_as_low_is_low(ask: Ask, paths: list[str], ignore_outer_slashes: bool) -> None:
    """With `unlisted`, a path that the server reads as a low one is low, with NORMALIZE_PATHS on or off."""
    rules = Rules.of(paths=[EXACT], base_paths=[BASE], pass_through=[DIRECT], ignore_outer_slashes=ignore_outer_slashes)
    for path in paths:
        level = rules.priority_of(RequestFacts(path.partition("?")[0], "GET"))
        assert level is Priority.LOW or ask(path.encode()) != "low", path


@pytest.mark.parametrize("paths", CORPUS)
def test_only_what_is_served_as_direct_is_passed_through(ask: Ask, paths: list[str]) -> None:
    """A path that skips the queue is one that the server reads as a pass-through path, or as an unknown one."""
    rules = Rules.of(pass_through=[DIRECT], ignore_outer_slashes=False)
    for path in paths:
        if rules.priority_of(RequestFacts(path.partition("?")[0], "GET")) is None:
            assert ask(path.encode()) in ("direct", "nothing"), path


@pytest.mark.parametrize("paths", CORPUS)
def test_only_what_is_served_as_high_is_high(ask: Ask, paths: list[str]) -> None:
    """With `listed`, a high path is one that the server reads as a listed path, or as an unknown one."""
    rules = Rules.of(Listing.LISTED, [EXACT], [BASE], ignore_outer_slashes=False)
    for path in paths:
        if rules.priority_of(RequestFacts(path.partition("?")[0], "GET")) is Priority.HIGH:
            assert ask(path.encode()) in ("low", "nothing"), path


def test_the_servers_tell_the_paths_apart(ask: Ask) -> None:
    """The test servers work: they serve the plain paths as what they are."""
    assert [ask(path) for path in (b"/reports/1", b"/exact", b"/health", b"/x/1")] == ["low", "low", "direct", "other"]
