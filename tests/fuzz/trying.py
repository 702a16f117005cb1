"""Runs one case after another: sends it to all systems, judges it, and repeats it if something is wrong."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.fuzz.changing import case_of
from tests.fuzz.judging import Seen, Shape, findings
from tests.fuzz.lanes import Gateway, Other, gateway_lane, other_lanes
from tests.fuzz.reading import read_by_httptools
from tests.path_servers import INSIDE, Ask, Label, nginx_locations, python_files, starlette_files, starlette_routes

_SECONDS_BETWEEN_LINES = 10.0
_SHAPES = [Shape.UNLISTED, Shape.UNLISTED, Shape.LISTED, Shape.BELOW]
"""The shapes to choose from for a random case; a case of the corpus is tried on each."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A case for which something was wrong, twice."""

    sent: bytes
    shape: Shape
    words: tuple[str, ...]


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
    once: int = 0
    """Cases for which something was wrong the first time only."""
    found: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Field:
    """The systems that a case is sent to."""

    gateways: Mapping[Shape, Gateway]
    others: Mapping[str, Other]
    servers: Mapping[str, Ask]

    @classmethod
    def start(cls, parts: ExitStack, folder: Path) -> "Field":
        """Start all systems; `parts` ends them. Raises NotInstalled."""
        for name in (*(shape.name for shape in Shape), "others", "nginx", "files", "python"):
            (folder / name).mkdir()
        return cls(
            {shape: parts.enter_context(gateway_lane(folder / shape.name, shape)) for shape in Shape},
            parts.enter_context(other_lanes(folder / "others")),
            {
                "nginx": parts.enter_context(nginx_locations(folder / "nginx")),
                "Starlette's router": parts.enter_context(starlette_routes()),
                "Starlette's files": parts.enter_context(starlette_files(folder / "files")),
                "http.server": parts.enter_context(python_files(folder / "python")),
            },
        )

    def see(self, sent: bytes, shape: Shape) -> Seen:
        """Send one case to all systems, to the gateway of this shape, and return what was observed."""
        gateway = self.gateways[shape]
        reading = read_by_httptools(sent)
        finals = len(reading.requests) + reading.is_refused
        is_silent = gateway.carry(sent, finals)
        decisions, arrived = gateway.last
        others = {name: other.read(sent, finals) for name, other in self.others.items()}
        paths = {decision.path for decision in decisions if decision.path.startswith(b"/")}
        labels = self._labels(paths)
        below = self._labels({b"/%s%s" % (INSIDE.encode(), path) for path in paths} if shape is Shape.BELOW else set())
        return Seen(sent, decisions, arrived, is_silent, others, labels, shape, below)

    def _labels(self, paths: set[bytes]) -> dict[bytes, dict[str, Label]]:
        return {path: {name: ask(path) for name, ask in self.servers.items()} for path in paths}


def fuzz(field_: Field, seeds: Sequence[bytes], seed: int, seconds: float, say: Callable[[str], None]) -> Record:
    """Try the whole corpus, then random cases for `seconds`. `print_line` gets a line every 10 s."""
    record, random = Record(), Random(seed)
    begin = last_line = time.monotonic()
    waiting = [(seed, shape) for seed in reversed(seeds) for shape in Shape]
    while waiting or time.monotonic() < begin + seconds:
        sent, shape = waiting.pop() if waiting else (case_of(random, seeds), random.choice(_SHAPES))
        _try(field_, sent, shape, record, say)
        if time.monotonic() > last_line + _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            say(f"{last_line - begin:5.0f} s: {summary(record)}")
    return record


def summary(record: Record) -> str:
    """Return the record as one line."""
    levels = ", ".join(f"{count} {level}" for level, count in sorted(record.by_level.items()))
    return (
        f"{record.cases} cases, {record.arrived} requests arrived, {record.compared} others' readings compared, "
        f"decided: {levels or 'none'}; {len(record.found)} findings, {record.once} seen once only"
    )


def _try(field_: Field, sent: bytes, shape: Shape, record: Record, say: Callable[[str], None]) -> None:
    seen = field_.see(sent, shape)
    record.cases += 1
    record.arrived += len(seen.arrived)
    record.compared += sum(map(len, seen.others.values()))
    for decision in seen.decisions:
        level = str(decision.level or "direct")
        record.by_level[level] = record.by_level.get(level, 0) + 1
    if not findings(seen):
        return
    # On a busy machine a comparison can time out, but not twice for the same case.
    words = findings(field_.see(sent, shape))
    if not words:
        record.once += 1
        return
    record.found.append(Finding(sent, shape, tuple(words)))
    say(f"FOUND, {shape}: {sent!r}")
    for line in words:
        say(f"  {line}")
