"""One check from its start to its files: interruptible, and with a place to write that was tried beforehand."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import typer
from rich.console import Console

from fast_priority.errors import ConfigurationError
from fast_priority.interruption import Interruption
from loadtests.check import Progress, Run, Subject, describe_machine, run_check
from loadtests.oracle import CheckResult, Verdict
from loadtests.report import make_table, write_html, write_json, write_junit

Starting = Callable[[Interruption], AbstractContextManager[Subject]]


class Publication:
    """Where results are written. Raises ConfigurationError at once if nothing can be written there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(f"--out {folder} cannot be written to ({error.strerror}): name another") from None

    def publish(self, result: CheckResult) -> None:
        """Show the table, and write the report, the results and the JUnit file. Raises ReportError."""
        Console().print(make_table(result))
        write_json(result, self._folder / "results.json")
        write_junit(result, self._folder / "junit.xml")
        write_html(result, self._folder / "report.html")
        typer.echo(f"{self._folder / 'report.html'}, results.json and junit.xml beside it")


def run_and_publish(
    starting: Starting,
    runs: Sequence[Run],
    skipped: dict[str, str],
    tolerance_seconds: float,
    publication: Publication,
) -> Verdict:
    """Run the check and publish it; give its verdict.

    Raises ConfigurationError if it could not be run, and Interrupted if somebody ended it; then all that was started is
    stopped.
    """
    interruption = Interruption()
    progress = Progress(interruption.raise_if_asked)
    progress.say("starting  what is to be checked")
    with interruption.listening(), starting(interruption) as subject:
        result = run_check(
            subject,
            runs,
            tolerance_seconds=tolerance_seconds,
            progress=progress,
            skipped=skipped,
            machine=describe_machine(),
        )
    publication.publish(result)
    return result.verdict
