"""The commands about rules and keys: `fast-priority explain` and `fast-priority key`."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Annotated

import typer

from fast_priority.errors import ConfigurationError
from fast_priority.local.command_line import errors_in_one_line, load_settings
from fast_priority.scheduling.priority import Priority

_KEY_BYTES = 32
_MOST_NAME_CHARACTERS = 100
_MOST_BODY_BYTES = 16 * 1024 * 1024


def explain(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="The method, such as POST.")],
    target: Annotated[str, typer.Argument(metavar="PATH", help="The path, with its query.")],
    headers: Annotated[
        list[str] | None, typer.Option("--header", "-H", metavar="LINE", help='A field, as "Name: value"; repeat it.')
    ] = None,
    data: Annotated[str, typer.Option("--data", "-d", metavar="TEXT", help="The body, or @FILE with it.")] = "",
    peer: Annotated[
        str, typer.Option("--from", metavar="ADDRESS", help="The address that opens the connection.")
    ] = "127.0.0.1",
) -> None:
    """Show which rule decides about a request, its level, its TTL and its key. Nothing is sent.

    The settings are those that a gateway would have which is started here.

    Example: fast-priority explain POST /v1/chat -H "X-Team: search" -d @body.json
    """
    # These load what a gateway needs, and other commands do not.
    from fast_priority.local.explanation import explain as explanation

    with errors_in_one_line():
        for line in explanation(load_settings(), method, target, headers or [], _bytes_of(data), peer):
            typer.echo(line)


def _level(name: str) -> Priority:
    try:
        return Priority(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of the key, for rules and messages.")],
    highest: Annotated[
        Priority,
        typer.Option("--highest", parser=_level, metavar="LEVEL", help="The highest level for requests with the key."),
    ] = Priority.HIGH,
) -> None:
    """Make a key: print it once, on stderr, and its entry for the keys file, which has only its SHA-256, on stdout.

    Example: fast-priority key labelling >> keys.toml
    """
    with errors_in_one_line():
        if not name or not name.isprintable() or len(name) > _MOST_NAME_CHARACTERS:
            raise ConfigurationError("a name has 1 to 100 characters, which can be printed: write another one")
        made = f"fp_{secrets.token_urlsafe(_KEY_BYTES)}"
        typer.echo("The key. It is shown only now; its owner sends it as `Authorization: Bearer KEY`.", err=True)
        typer.echo(made, err=True)
        digest = hashlib.sha256(made.encode()).hexdigest()
        shown = json.dumps(name, ensure_ascii=False)  # a string of JSON is one of TOML
        typer.echo(f'\n[[key]]\nname = {shown}\nsha256 = "{digest}"\nhighest = "{highest.value}"')


def _bytes_of(data: str) -> bytes:
    """Return the bytes of `--data`: of the file behind an @, or of the text."""
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    try:
        with Path(data[1:]).open("rb") as file:
            found = file.read(_MOST_BODY_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--data {data} cannot be read ({error}): write @ and the path of a file") from None
    return found
