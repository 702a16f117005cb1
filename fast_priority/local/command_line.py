"""What all commands of the command line have in common: settings with their warnings, and errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, warnings_about_environment

_EXIT_CONFIGURATION = 2


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Print a ConfigurationError, each of its lines on a line, and end with exit status 2."""
    try:
        yield
    except ConfigurationError as error:
        for line in str(error).splitlines():
            typer.echo(f"error: {line}", err=True)
        raise typer.Exit(_EXIT_CONFIGURATION) from None


def load_settings(**overrides: Any) -> Settings:
    """Return the settings, and print what is to be warned of."""
    for warning in warnings_about_environment(**overrides):
        typer.echo(f"warning: {warning}", err=True)
    return Settings.load(**overrides)
