"""One check from its start to its result files, with a clean stop on a signal."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import typer
from rich.console import Console

from fast_priority.errors import ConfigurationError
from fast_priority.local.interruption import Interruption
from loadtests.check import PlannedRun, Progress, SystemUnderTest, describe_machine, run_check
from loadtests.oracle import CheckResult, Verdict
from loadtests.report import make_table, write_html, write_json, write_junit

SystemFactory = Callable[[Interruption, Callable[[str], None]], AbstractContextManager[SystemUnderTest]]


class ResultFolder:
    """The folder for results. Raises ConfigurationError at once if it is not writable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ConfigurationError(f"--out {folder} cannot be written to ({error.strerror}): name another") from None

    def write(self, result: CheckResult) -> None:
        """Print the table, and write the report, the results and the JUnit file. Raises ReportError."""
        Console().print(make_table(result))
        write_json(result, self._folder / "results.json")
        write_junit(result, self._folder / "junit.xml")
        write_html(result, self._folder / "report.html")
        typer.echo(f"{self._folder / 'report.html'}, results.json and junit.xml in the same folder")


def run_and_report(
    start_system: SystemFactory,
    runs: Sequence[PlannedRun],
    skipped: dict[str, str],
    tolerance_seconds: float,
    result_folder: ResultFolder,
) -> Verdict:
    """Run the check, write its results, and return its verdict.

    Raises ConfigurationError if it could not run, and Interrupted on a signal; then all started processes are stopped.
    """
    interruption = Interruption()
    progress = Progress(interruption.raise_if_asked)
    with interruption.listening(), start_system(interruption, progress.print_line) as system:
        result = run_check(
            system,
            runs,
            tolerance_seconds=tolerance_seconds,
            progress=progress,
            skipped=skipped,
            machine=describe_machine(),
        )
    result_folder.write(result)
    return result.verdict
