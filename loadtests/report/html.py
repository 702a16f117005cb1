"""The results of a check as one HTML file to look at: self-contained, without scripts."""

from pathlib import Path

from loadtests.oracle import CheckResult
from loadtests.report.files import ReportError, write_whole


def write_html(result: CheckResult, path: Path) -> None:
    """Write the page. Raises ReportError if matplotlib or jinja2 is missing, or the file cannot be written."""
    try:
        # Here and not above: only the page needs them, and they are not installed with the package itself.
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ReportError(
            f"{path} needs {error.name}, which is not installed: pip install 'fast-priority[loadtest]'"
        ) from error
    from loadtests.report.page import make_page

    # Half a character, such as a request id may hold, has no bytes in UTF-8.
    write_whole(path, make_page(result).encode("utf-8", errors="replace"))
