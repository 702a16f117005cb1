"""The progress of a check: on a terminal a progress bar, elsewhere a line for each scenario."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from loadtests.oracle import ScenarioResult, Verdict

_STYLES = {Verdict.PROVED: "green", Verdict.VIOLATED: "bold red", Verdict.UNPROVED: "yellow"}


class Progress:
    """Shows the progress of a check on standard error, so that standard output has only the result.

    `on_update` is called at every update; it may raise to end the check.
    """

    def __init__(self, on_update: Callable[[], None] = lambda: None, console: Console | None = None) -> None:
        self._on_update = on_update
        self._console = console or Console(stderr=True, highlight=False)

    def print_line(self, text: str) -> None:
        """Print one line."""
        self._console.print(text, soft_wrap=True, markup=False)

    def show_result(self, result: ScenarioResult) -> None:
        """Print the verdict of a scenario."""
        style = _STYLES[result.verdict]
        self._console.print(f"[{style}]{result.verdict.name:<9}[/] {result.name}", soft_wrap=True)

    @contextmanager
    def step(self, name: str, seconds: float) -> Iterator[Callable[[float, int], None]]:
        """Show a step of `seconds`; yield a function that takes elapsed seconds and finished requests."""
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(),
            TextColumn("{task.fields[ended]:>7,} answered"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bars:
            task = bars.add_task(name, total=seconds, ended=0)

            def on_progress(elapsed_seconds: float, ended: int) -> None:
                self._on_update()
                bars.update(task, completed=min(elapsed_seconds, seconds), ended=ended)

            if not self._console.is_terminal:
                self.print_line(f"running   {name} ({seconds:g} s)")
            yield on_progress
