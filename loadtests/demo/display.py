"""The demo's picture in the terminal. Pure: a scene in, something that rich can print out."""

from collections.abc import Sequence
from statistics import median

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from fast_priority.priority import Priority
from loadtests.demo.monitor import Scene
from loadtests.demo.verdict import Passage

STYLES = {Priority.HIGH: "bold green", Priority.LOW: "yellow"}
_MARKS = {Priority.HIGH: "H", Priority.LOW: "·"}
_STRIP_STYLES = {Priority.HIGH: "bold black on green", Priority.LOW: "yellow"}
_LABEL = 12
_FIGURES = 24
_CTRL_C = 3  # the terminal writes ^C behind the last line; one that wrapped would spoil the redrawing
_WIDEST = 110
_NARROW = 60


class Picture:
    """The scene as it is now, as wide as the terminal."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, line by line."""
        width = min(options.max_width, _WIDEST)
        draw = _Drawing(width, "#" if options.ascii_only else "█", "." if options.ascii_only else _MARKS[Priority.LOW])
        yield from draw.picture(self._scene)


class _Drawing:
    """Draws in so many columns, with these characters for a bar and for a low request."""

    def __init__(self, width: int, block: str, low_mark: str) -> None:
        self._width = width
        self._block = block
        self._marks = {**_MARKS, Priority.LOW: low_mark}
        self._narrow = width < _NARROW

    def picture(self, scene: Scene) -> list[Text]:
        return [
            self._head(scene),
            Text(),
            Text("Waiting now", style="bold"),
            *self._waiting(scene),
            Text(),
            Text("How long a request waits for the target", style="bold"),
            *self._waits(scene),
            Text(),
            self._title_of_orders(scene),
            *self._orders(list(scene.ledger.last_started)[-(self._width - _LABEL - 1 - _CTRL_C) :]),
        ]

    def _head(self, scene: Scene) -> Text:
        plan = scene.plan
        words = f" {scene.elapsed_seconds:.0f} of {plan.seconds:.0f} s "
        room = self._width - len(words)
        done = round(room * min(1.0, scene.elapsed_seconds / plan.seconds))
        return Text.assemble((words, "reverse"), (self._block * done, "cyan"), ("-" * (room - done), "dim"))

    def _waiting(self, scene: Scene) -> list[Text]:
        most = scene.plan.low_clients
        lines = [
            self._bar(priority, scene.waiting[priority], most, f"{scene.waiting[priority]}") for priority in Priority
        ]
        slots = Text.assemble(
            (f"{'  at target':<{_LABEL}} ", ""),
            (self._block * 2 + " ") * min(scene.in_flight, 12),
            (f" {scene.in_flight} of {scene.plan.slots} slots taken", "dim"),
        )
        return [*lines, self._cut(slots)]

    def _waits(self, scene: Scene) -> list[Text]:
        lanes = scene.ledger.lanes
        medians = {priority: _median(lanes[priority].waits_seconds) for priority in Priority}
        most = max(*medians.values(), 0.001)
        return [
            self._bar(priority, medians[priority], most, _figures(lanes[priority].waits_seconds, self._narrow))
            for priority in Priority
        ]

    def _orders(self, started: Sequence[Passage]) -> list[Text]:
        sent = sorted(started, key=lambda passage: passage.sent_at)
        return [self._strip("  as sent", sent), self._strip("  as started", started)]

    def _strip(self, label: str, passages: Sequence[Passage]) -> Text:
        line = Text(f"{label:<{_LABEL}} ")
        for passage in passages:
            line.append(self._marks[passage.priority], style=_STRIP_STYLES[passage.priority])
        return line

    def _title_of_orders(self, scene: Scene) -> Text:
        overtakes = scene.ledger.lanes[Priority.HIGH].overtakes
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


def progress_line(scene: Scene) -> str:
    """Say the same in one line, for a log."""
    parts = [f"{scene.elapsed_seconds:3.0f} s"]
    for priority in Priority:
        lane = scene.ledger.lanes[priority]
        parts.append(
            f"{priority}: {scene.waiting[priority]} wait, {lane.answered} answered, "
            f"median wait {_figures(lane.waits_seconds, narrow=False)}"
        )
    return " | ".join([*parts, f"{scene.in_flight} of {scene.plan.slots} slots taken"])


def _figures(waits_seconds: Sequence[float], narrow: bool) -> str:
    if not waits_seconds:
        return "-"
    middle = f"{_median(waits_seconds):.2f} s"
    return middle if narrow else f"{middle} (longest {waits_seconds[-1]:.2f} s)"


def _median(ordered: Sequence[float]) -> float:
    return ordered[len(ordered) // 2] if ordered else 0.0
