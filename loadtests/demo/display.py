"""The demo's picture in the terminal. Pure: converts a `DemoState` to a rich renderable."""

from collections.abc import Sequence
from statistics import median

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from fast_priority.scheduling.priority import DEFAULT_LEVELS, Priority
from loadtests.demo.monitor import DemoState
from loadtests.demo.verdict import DemoRequest

STYLES = {Priority.HIGH: "bold green", Priority.LOW: "yellow"}
_MARKS = {Priority.HIGH: "H", Priority.LOW: "·"}
_STRIP_STYLES = {Priority.HIGH: "bold black on green", Priority.LOW: "yellow"}
_LABEL = 12
_FIGURES = 24
_CTRL_C = 3  # the terminal writes ^C after the last line; a wrapped line would break redrawing
_WIDEST = 110
_NARROW = 60


class LiveView:
    """The current state, as wide as the terminal."""

    def __init__(self, state: DemoState) -> None:
        self._state = state

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the picture, line by line."""
        width = min(options.max_width, _WIDEST)
        draw = _Drawing(width, "#" if options.ascii_only else "█", "." if options.ascii_only else _MARKS[Priority.LOW])
        yield from draw.picture(self._state)


class _Drawing:
    """Draws in `width` columns, with these characters for a bar and for a low request."""

    def __init__(self, width: int, block: str, low_mark: str) -> None:
        self._width = width
        self._block = block
        self._marks = {**_MARKS, Priority.LOW: low_mark}
        self._narrow = width < _NARROW

    def picture(self, state: DemoState) -> list[Text]:
        return [
            self._head(state),
            Text(),
            Text("Waiting now", style="bold"),
            *self._waiting(state),
            Text(),
            Text("How long a request waits for the target", style="bold"),
            *self._waits(state),
            Text(),
            self._title_of_orders(state),
            *self._orders(list(state.request_log.last_started)[-(self._width - _LABEL - 1 - _CTRL_C) :]),
        ]

    def _head(self, state: DemoState) -> Text:
        plan = state.plan
        words = f" {state.elapsed_seconds:.0f} of {plan.seconds:.0f} s "
        room = self._width - len(words)
        done = round(room * min(1.0, state.elapsed_seconds / plan.seconds))
        return Text.assemble((words, "reverse"), (self._block * done, "cyan"), ("-" * (room - done), "dim"))

    def _waiting(self, state: DemoState) -> list[Text]:
        most = state.plan.low_clients
        lines = [
            self._bar(priority, state.waiting[priority], most, f"{state.waiting[priority]}")
            for priority in DEFAULT_LEVELS
        ]
        slots = Text.assemble(
            (f"{'  at target':<{_LABEL}} ", ""),
            (self._block * 2 + " ") * min(state.in_flight, 12),
            (f" {state.in_flight} of {state.plan.slots} slots taken", "dim"),
        )
        return [*lines, self._cut(slots)]

    def _waits(self, state: DemoState) -> list[Text]:
        lanes = state.request_log.lanes
        medians = {priority: _median(lanes[priority].waits_seconds) for priority in DEFAULT_LEVELS}
        most = max(*medians.values(), 0.001)
        return [
            self._bar(priority, medians[priority], most, _figures(lanes[priority].waits_seconds, self._narrow))
            for priority in DEFAULT_LEVELS
        ]

    def _orders(self, started: Sequence[DemoRequest]) -> list[Text]:
        sent = sorted(started, key=lambda request: request.sent_at)
        return [self._strip("  as sent", sent), self._strip("  as started", started)]

    def _strip(self, label: str, requests: Sequence[DemoRequest]) -> Text:
        line = Text(f"{label:<{_LABEL}} ")
        for request in requests:
            line.append(self._marks[request.priority], style=_STRIP_STYLES[request.priority])
        return line

    def _title_of_orders(self, state: DemoState) -> Text:
        overtakes = state.request_log.lanes[Priority.HIGH].overtakes
        title = Text("Two orders" if self._narrow else "The last requests, in two orders", style="bold")
        if overtakes:
            title.append(f": each H overtook {median(overtakes):.0f} low ones", style="not bold")
        return self._cut(title)

    def _bar(self, priority: Priority, value: float, most: float, figures: str) -> Text:
        room = self._width - _LABEL - 1 - (10 if self._narrow else _FIGURES)
        length = min(room, round(room * value / most))
        bar = Text(f"{'  ' + priority:<{_LABEL}} ", style=STYLES[priority])
        bar.append(self._block * length + " " if length else "")
        return self._cut(bar.append(figures))

    def _cut(self, line: Text) -> Text:
        line.truncate(self._width)
        return line


def progress_line(state: DemoState) -> str:
    """Return the same in one line, for a log."""
    parts = [f"{state.elapsed_seconds:3.0f} s"]
    for priority in DEFAULT_LEVELS:
        lane = state.request_log.lanes[priority]
        parts.append(
            f"{priority}: {state.waiting[priority]} wait, {lane.answered} answered, "
            f"median wait {_figures(lane.waits_seconds, narrow=False)}"
        )
    return " | ".join([*parts, f"{state.in_flight} of {state.plan.slots} slots taken"])


def _figures(waits_seconds: Sequence[float], narrow: bool) -> str:
    if not waits_seconds:
        return "-"
    middle = f"{_median(waits_seconds):.2f} s"
    return middle if narrow else f"{middle} (longest {waits_seconds[-1]:.2f} s)"


def _median(ordered: Sequence[float]) -> float:
    return ordered[len(ordered) // 2] if ordered else 0.0
