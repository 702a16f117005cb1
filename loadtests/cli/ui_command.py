"""`loadtest ui`: locust's own page."""

import os
import sys

import typer

from loadtests import locustfile_path
from loadtests.cli.exit_codes import failing_in_lines, need_extra


def ui(context: typer.Context) -> None:
    """Open locust's own web page with these scenarios; all of locust's options are passed on.

    \b
    fast-priority loadtest ui --host http://localhost:8000 --target-url http://localhost:9000
    """
    with failing_in_lines():
        need_extra("locust")
    # In this process's place, so that signals and the terminal are locust's.
    os.execv(  # noqa: S606 - this interpreter, with what its user has written
        sys.executable,
        [sys.executable, "-m", "locust", "-f", str(locustfile_path()), *context.args],
    )
