"""Runs one case after another: sends it to all systems, judges it, and repeats it if something is wrong."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.judging import CaseResult, Shape, find_problems
from tests.fuzz.mutation import make_case
from tests.fuzz.reading import read_by_httptools
from tests.fuzz.systems import RequestReader, TestedGateway, running_gateway, running_references
from tests.path_servers import INSIDE, Ask, Label, nginx_locations, python_files, starlette_files, starlette_routes

_SECONDS_BETWEEN_LINES = 10.0
_SHAPES = [Shape.UNLISTED, Shape.UNLISTED, Shape.LISTED, Shape.BELOW]
"""The shapes to choose from for a random case; a case of the corpus is tried on each."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A case for which something was wrong, twice."""

    sent: bytes
    shape: Shape
    problems: tuple[str, ...]


@dataclass(slots=True)
class Record:
    """The counts and findings of a run."""

    cases: int = 0
    arrived: int = 0
    """Requests that reached the target."""
    compared: int = 0
    """Requests that the other servers read in the same bytes."""
    by_level: dict[str, int] = field(default_factory=dict)
    """The number of decisions, by priority."""
    only_once: int = 0
    """Cases for which something was wrong the first time only."""
    found: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Systems:
    """The systems that a case is sent to."""

    gateways: Mapping[Shape, TestedGateway]
    others: Mapping[str, RequestReader]
    servers: Mapping[str, Ask]

    @classmethod
    def start(cls, parts: ExitStack, folder: Path) -> "Systems":
        """Start all systems; `parts` ends them. Raises NotInstalled."""
        for name in (*(shape.name for shape in Shape), "others", "nginx", "files", "python"):
            (folder / name).mkdir()
        return cls(
            {shape: parts.enter_context(running_gateway(folder / shape.name, shape)) for shape in Shape},
            parts.enter_context(running_references(folder / "others")),
            {
                "nginx": parts.enter_context(nginx_locations(folder / "nginx")),
                "Starlette's router": parts.enter_context(starlette_routes()),
                "Starlette's files": parts.enter_context(starlette_files(folder / "files")),
                "http.server": parts.enter_context(python_files(folder / "python")),
            },
        )

    def run_case(self, sent: bytes, shape: Shape) -> CaseResult:
        """Send one case to all systems, to the gateway of this shape, and return what was observed."""
        gateway = self.gateways[shape]
        reading = read_by_httptools(sent)
        finals = len(reading.requests) + reading.is_refused
        is_silent = gateway.send(sent, finals)
        decisions, arrived = gateway.last
        others = {name: other.read(sent, finals) for name, other in self.others.items()}
        paths = {decision.path for decision in decisions if decision.path.startswith(b"/")}
        labels = self._labels(paths)
        below = self._labels({b"/%s%s" % (INSIDE.encode(), path) for path in paths} if shape is Shape.BELOW else set())
        return CaseResult(sent, decisions, arrived, is_silent, others, labels, shape, below)

    def _labels(self, paths: set[bytes]) -> dict[bytes, dict[str, Label]]:
        return {path: {name: ask(path) for name, ask in self.servers.items()} for path in paths}


def fuzz(
    systems: Systems, seeds: Sequence[bytes], seed: int, seconds: float, print_line: Callable[[str], None]
) -> Record:
    """Try the whole corpus, then random cases for `seconds`. `print_line` gets a line every 10 s."""
    record, random = Record(), Random(seed)
    begin = last_line = time.monotonic()
    waiting = [(seed, shape) for seed in reversed(seeds) for shape in Shape]
    while waiting or time.monotonic() < begin + seconds:
        sent, shape = waiting.pop() if waiting else (make_case(random, seeds), random.choice(_SHAPES))
        _try(systems, sent, shape, record, print_line)
        if time.monotonic() > last_line + _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            print_line(f"{last_line - begin:5.0f} s: {summary(record)}")
    return record


def summary(record: Record) -> str:
    """Return the record as one line."""
    levels = ", ".join(f"{count} {level}" for level, count in sorted(record.by_level.items()))
    return (
        f"{record.cases} cases, {record.arrived} requests arrived, {record.compared} others' readings compared, "
        f"decided: {levels or 'none'}; {len(record.found)} findings, {record.only_once} seen once only"
    )


def _try(systems: Systems, sent: bytes, shape: Shape, record: Record, print_line: Callable[[str], None]) -> None:
    result = systems.run_case(sent, shape)
    record.cases += 1
    record.arrived += len(result.arrived)
    record.compared += sum(map(len, result.others.values()))
    for decision in result.decisions:
        level = str(decision.level or "direct")
        record.by_level[level] = record.by_level.get(level, 0) + 1
    if not find_problems(result):
        return
    # On a busy machine a comparison can time out, but not twice for the same case.
    problems = find_problems(systems.run_case(sent, shape))
    if not problems:
        record.only_once += 1
        return
    record.found.append(Finding(sent, shape, tuple(problems)))
    print_line(f"FOUND, {shape}: {sent!r}")
    for line in problems:
        print_line(f"  {line}")
