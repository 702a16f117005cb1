"""The results of a check as one HTML file: self-contained, without scripts."""

from pathlib import Path

from fast_priority.support.install_command import install_command_of_extra
from loadtests.oracle import CheckResult
from loadtests.report.files import ReportError, write_atomically


def write_html(result: CheckResult, path: Path) -> None:
    """Write the page. Raises ReportError if matplotlib or jinja2 is missing, or the file cannot be written."""
    try:
        # Imported here: only the page needs them, and the package itself does not install them.
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ReportError(
            f"{path} needs {error.name}, which is not installed: {install_command_of_extra('loadtest')}"
        ) from error
    from loadtests.report.page import make_page

    # A request id may contain a lone surrogate, which UTF-8 cannot encode.
    write_atomically(path, make_page(result).encode("utf-8", errors="replace"))
