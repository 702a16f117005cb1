"""The command line: `python -m mock_target --help` teaches it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from mock_target import server
from mock_target.cli.help_text import write_help
from mock_target.settings import (
    DEFAULT_LOG_SIZE,
    KNOBS_BY_NAME,
    KnobError,
    MockSettings,
    Settings,
    decode_json,
    nearest_name,
    read_settings,
)

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=write_help())
def run(
    host: Annotated[str, typer.Option(envvar="MOCK_TARGET_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="MOCK_TARGET_PORT", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 9000,
    settings: Annotated[
        Path | None,
        typer.Option(envvar="MOCK_TARGET_SETTINGS", help="Settings and routes to start with, as JSON in a file."),
    ] = None,
    latency: Annotated[
        str | None, typer.Option(envvar="MOCK_TARGET_LATENCY", help="Default latency; see the grammar above.")
    ] = None,
    limit: Annotated[
        str | None, typer.Option(envvar="MOCK_TARGET_LIMIT", help="Maximum number of requests in progress at once.")
    ] = None,
    max_queued: Annotated[
        str | None,
        typer.Option(envvar="MOCK_TARGET_MAX_QUEUED", help="Maximum number of waiting requests; more are refused."),
    ] = None,
    error_rate: Annotated[
        str | None, typer.Option(envvar="MOCK_TARGET_ERROR_RATE", help="Share of requests, 0 to 1, answered with 503.")
    ] = None,
    knobs: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set any knob above; may be repeated.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(envvar="MOCK_TARGET_SEED", help="Draw the same latencies and failures in every run.")
    ] = None,
    log_size: Annotated[
        int, typer.Option(envvar="MOCK_TARGET_LOG_SIZE", min=1, help="How many arrivals the log keeps.")
    ] = DEFAULT_LOG_SIZE,
) -> None:
    """Run a mock target; `write_help` has the help text."""
    options = {"latency": latency, "limit": limit, "max_queued": max_queued, "error_rate": error_rate}
    given = [(name, value, f"--{name.replace('_', '-')}") for name, value in options.items() if value is not None]
    try:
        wanted = Settings() if settings is None else _read_file(settings)
        for name, value, option in [*given, *map(_split, knobs or [])]:
            wanted = wanted.with_knob(name, value, option)
    except KnobError as error:
        raise typer.BadParameter(str(error), param_hint=error.parameter) from None
    try:
        server.run_mock(MockSettings(seed=seed, log_size=log_size, settings=wanted), host, port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        where = f"{host}:{port} cannot be listened on ({reason})"
        raise typer.BadParameter(f"{where}; name another with --port or --host", param_hint="--port") from None


def _read_file(path: Path) -> Settings:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise KnobError("--settings", str(path), f"name a file that can be read ({error.strerror})") from None
    try:
        return read_settings(decode_json(text, "the JSON"), Settings())
    except KnobError as error:
        raise KnobError(f"{path}: {error.parameter}", error.value, error.hint) from None


def _split(text: str) -> tuple[str, str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise KnobError("--set", text, "write NAME=VALUE, like error_rate=0.05")
    if name not in KNOBS_BY_NAME:
        raise KnobError("--set", text, f"no knob has this name; the nearest is {nearest_name(name, KNOBS_BY_NAME)}")
    return name, value, f"--set {name}"


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m mock_target")
