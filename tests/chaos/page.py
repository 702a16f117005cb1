"""Renders docs/evidence/failures.md from what the scenarios recorded."""

from collections.abc import Iterable, Sequence

from tests.chaos.failures import FAULTS, STAGES
from tests.chaos.recording import LoadObservation, Observation

_INTRODUCTION = """\
# Failures

Each row is a fault that was injected for real into a running system (processes killed and frozen, Redis restarted and
hung, connections cut by a proxy, clocks set), with requests in flight at the stage that the row names. `make failures`
runs all of them and writes this page; `make test` runs those of our own worker and fails where a promise is not kept.
Each scenario also checks that nothing of it stays in Redis, and that every slot works afterwards.

Each fault is injected under load: 20 short requests and small transfers a second, and a long upload and download.
Each request of the load is judged, whatever the fault:

- it is answered once, and its content is right: the checksum of an upload, each byte of a download;
- a POST reaches the target at most once, a GET at most twice;
- a POST that is answered 503 with `Retry-After` has not reached the target, and does not reach it later;
- a 502 `request-lost` has no `Retry-After`.

Otherwise each request of the load is answered 200 and complete, unless the promise of the scenario allows something
else. The answers are in [the second table](#the-load-meanwhile).

GET and POST stand for all methods: PUT, DELETE, HEAD, OPTIONS and TRACE are idempotent as GET is; PATCH is not.
"Seconds" are from sending the request to the end of its response, including the time at the target (0 to 4 s).
"Attempts" is how many times the request reached the target. A cell with several values stands for several requests.
The times are those of one run on one machine; only the column "promise" is promised.
"""

_LOAD = """\
## The load meanwhile

How the requests of the load ended, for each scenario.
"""

_STOCK = """\
## The same with rq's own worker

The same gateway without the load, with two `rq worker high low` processes; each has one request when the fault comes.
One GET and one POST are at the target, one GET and one POST are queued. The client waits 40 s for each.
"""

_OURS_HEAD = ("fault", "stage", "promise", "GET", "POST", "seconds", "attempts", "scenario")
_LOAD_HEAD = ("fault", "requests", "answers", "scenario")
_STOCK_HEAD = ("fault", "stage", "GET, ours", "GET, rq's", "POST, ours", "POST, rq's")


def render(observations: Sequence[Observation], loads: Sequence[LoadObservation]) -> str:
    """Return the page: rows of our worker, the load, and rq's worker beside our rows of the same fault and stage."""
    ours = [one for one in observations if one.worker == "ours"]
    stock = [one for one in observations if one.worker == "stock"]
    rows = [_row(*_our_row(group)) for group in _grouped(ours, by_scenario=True)]
    beside = [_row(*_stock_row(group, ours)) for group in _grouped(stock, by_scenario=False)]
    ordered = sorted(loads, key=lambda load: (FAULTS.index(load.fault), load.scenario))
    load_rows = [_row(load.fault, str(load.requests), load.outcomes, f"`{load.scenario}`") for load in ordered]
    parts = [_INTRODUCTION, _table(_OURS_HEAD, rows), _LOAD, _table(_LOAD_HEAD, load_rows)]
    return "\n".join([*parts, _STOCK, _table(_STOCK_HEAD, beside)])


def _grouped(observations: Iterable[Observation], *, by_scenario: bool) -> list[list[Observation]]:
    groups: dict[tuple[str, ...], list[Observation]] = {}
    for one in observations:
        key = (one.fault, one.stage, one.scenario if by_scenario else "")
        groups.setdefault(key, []).append(one)
    return [groups[key] for key in sorted(groups, key=lambda key: (FAULTS.index(key[0]), STAGES.index(key[1]), key[2]))]


def _our_row(group: Sequence[Observation]) -> tuple[str, ...]:
    first = group[0]
    outcomes = (_outcomes(group, "GET"), _outcomes(group, "POST"))
    return (
        first.fault,
        first.stage,
        first.promise,
        *outcomes,
        _seconds(group),
        _attempts(group),
        f"`{first.scenario}`",
    )


def _stock_row(group: Sequence[Observation], ours: Iterable[Observation]) -> tuple[str, ...]:
    fault, stage = group[0].fault, group[0].stage
    same = [one for one in ours if (one.fault, one.stage) == (fault, stage)]
    sides = [_describe(side, method) for method in ("GET", "POST") for side in (same, group)]
    return (fault, stage, *sides)


def _describe(group: Sequence[Observation], method: str) -> str:
    own = [one for one in group if one.method == method]
    if not own:
        return ""
    return (
        f"{_outcomes(own, method)}; {_seconds(own)} s; attempts: {_range(sorted({str(one.attempts) for one in own}))}"
    )


def _outcomes(group: Iterable[Observation], method: str) -> str:
    return " or ".join(sorted({one.outcome for one in group if one.method == method}))


def _seconds(group: Sequence[Observation]) -> str:
    return _range([f"{seconds:.1f}" for seconds in sorted(one.seconds for one in group)])


def _attempts(group: Sequence[Observation]) -> str:
    by_method = {
        method: _range(sorted({str(one.attempts) for one in group if one.method == method}))
        for method in ("GET", "POST")
    }
    attempts_of = {method: attempts for method, attempts in by_method.items() if attempts}
    if len(set(attempts_of.values())) == 1:
        return next(iter(attempts_of.values()))
    return ", ".join(f"{method} {attempts}" for method, attempts in attempts_of.items())


def _range(ordered: Sequence[str]) -> str:
    if not ordered:
        return ""
    return ordered[0] if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"


def _table(head: Sequence[str], rows: Sequence[str]) -> str:
    return _row(*head) + "|" + "---|" * len(head) + "\n" + "".join(rows)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
