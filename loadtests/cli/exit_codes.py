"""Errors of commands: a line on standard error, and an exit code that differs from every verdict."""

import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fast_priority.errors import ConfigurationError
from fast_priority.local.interruption import Interrupted
from fast_priority.support.install_command import install_command_of_extra

COULD_NOT_RUN = 2
_SIGNALLED = 128  # how shells report which signal ended a program


@contextmanager
def errors_to_exit_codes() -> Iterator[None]:
    """Convert errors of the block to a line on standard error and an exit code: 2, or 128 plus the signal number."""
    try:
        yield
    except ConfigurationError as error:
        first, *others = str(error).splitlines()
        typer.echo("\n".join([f"error: {first}", *others]), err=True)
        raise typer.Exit(COULD_NOT_RUN) from None
    except Interrupted as interrupted:
        typer.echo("Interrupted. All that was started is stopped; nothing was proven.", err=True)
        raise typer.Exit(_SIGNALLED + interrupted.number) from None
    except Exception:
        # A bug must not look like a verdict: Python's exit code for it would be that of "violated".
        traceback.print_exc()
        raise typer.Exit(COULD_NOT_RUN) from None


def require_modules(*modules: str) -> None:
    """Raise ConfigurationError, with what to install, if any of these modules is missing."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ConfigurationError(
                f"{module} is not installed; to install it: {install_command_of_extra('loadtest')}"
            )
