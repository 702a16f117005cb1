"""`loadtest ui`: locust's web page."""

import os
import sys

import typer

from loadtests import locustfile_path
from loadtests.cli.exit_codes import errors_to_exit_codes, require_modules


def ui(context: typer.Context) -> None:
    """Open locust's own web page with these scenarios; all of locust's options are passed on.

    \b
    fast-priority loadtest ui --host http://localhost:8000 --target-url http://localhost:9000
    """
    with errors_to_exit_codes():
        require_modules("locust")
    # Replaces this process, so that locust gets signals and the terminal.
    os.execv(  # noqa: S606 - this interpreter, with the user's arguments
        sys.executable,
        [sys.executable, "-m", "locust", "-f", str(locustfile_path()), *context.args],
    )
