"""How a command ends that could not do what it was asked for: a line that says why, an exit code that is no verdict."""

import importlib.util
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from fast_priority.errors import ConfigurationError
from fast_priority.interruption import Interrupted

COULD_NOT_RUN = 2
_SIGNALLED = 128  # a shell's own way to say which signal ended a program


@contextmanager
def failing_in_lines() -> Iterator[None]:
    """Turn what goes wrong in the block into a line on standard error, and an exit code: 2, or 128 and the signal."""
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
        # A mistake of ours must not look like a verdict: Python's own exit code for it is that of "violated".
        traceback.print_exc()
        raise typer.Exit(COULD_NOT_RUN) from None


def need_extra(*modules: str) -> None:
    """Raise ConfigurationError, with what to install, if any of these modules is not there."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise ConfigurationError(f"{module} is not installed: pip install 'fast-priority[loadtest]'")
