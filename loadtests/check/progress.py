"""What is shown while a check runs: on a terminal a bar for what is under way, elsewhere a line at each end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from loadtests.oracle import ScenarioResult, Verdict

_STYLES = {Verdict.PROVED: "green", Verdict.VIOLATED: "bold red", Verdict.UNPROVED: "yellow"}


class Progress:
    """Shows what a check is at, on standard error, so that standard output holds the result alone.

    `at_each_look` is called whenever there is something new to show; it may raise to end the check.
    """

    def __init__(self, at_each_look: Callable[[], None] = lambda: None, console: Console | None = None) -> None:
        self._at_each_look = at_each_look
        self._console = console or Console(stderr=True, highlight=False)

    def say(self, text: str) -> None:
        """Say one line."""
        self._console.print(text, soft_wrap=True, markup=False)

    def tell(self, result: ScenarioResult) -> None:
        """Tell what a scenario has shown."""
        style = _STYLES[result.verdict]
        self._console.print(f"[{style}]{result.verdict.name:<9}[/] {result.name}", soft_wrap=True)

    @contextmanager
    def step(self, name: str, seconds: float) -> Iterator[Callable[[float, int], None]]:
        """Show something that is to last so many seconds; give what has to be told of its course."""
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(),
            TextColumn("{task.fields[ended]:>7,} answered"),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bars:
            task = bars.add_task(name, total=seconds, ended=0)

            def watch(elapsed_seconds: float, ended: int) -> None:
                self._at_each_look()
                bars.update(task, completed=min(elapsed_seconds, seconds), ended=ended)

            if not self._console.is_terminal:
                self.say(f"running   {name} ({seconds:g} s)")
            yield watch
