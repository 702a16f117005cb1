"""The output of the demo: redrawn in place on a terminal, a line per second elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live

from loadtests.demo.display import LiveView, progress_line
from loadtests.demo.monitor import DemoState

_LINE_EVERY_SECONDS = 1.0


class Screen:
    """Shows states on a console; with `live`, redrawn in place."""

    def __init__(self, console: Console, *, live: bool) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if live else None
        self._next_line_seconds = _LINE_EVERY_SECONDS

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, state: DemoState) -> None:
        """Show the state now, or skip it if the next line is not due yet."""
        if self._live:
            self._live.update(LiveView(state), refresh=True)
        elif state.elapsed_seconds >= self._next_line_seconds:
            self._console.print(progress_line(state), soft_wrap=True)
            self._next_line_seconds += _LINE_EVERY_SECONDS
