"""One program under two names, `run-fast-priority` and `fast-priority`."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from fast_priority.errors import ConfigurationError
from fast_priority.settings import Settings, origins, warnings_about_environment
from fast_priority.support.installed_versions import check_installed_versions

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

_EXIT_CONFIGURATION = 2
_TABLE_COLUMNS = 110

Target = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="URL", help="Base URL of the API behind the gateway. FAST_PRIORITY_TARGET_BASE_URL"
    ),
]
Host = Annotated[str | None, typer.Option("--host", help="Address to listen on. FAST_PRIORITY_HOST (0.0.0.0)")]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on. FAST_PRIORITY_PORT (8000)")]
RedisHost = Annotated[
    str | None, typer.Option("--redis-host", help="Host of Redis. FAST_PRIORITY_REDIS_HOST (localhost)")
]
RedisPort = Annotated[int | None, typer.Option("--redis-port", help="Port of Redis. FAST_PRIORITY_REDIS_PORT (6379)")]
Workers = Annotated[
    str | None, typer.Option("--workers", metavar="N", help="Worker processes. FAST_PRIORITY_WORKERS (1)")
]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", metavar="N", help="Slots of each. FAST_PRIORITY_WORKER_CONCURRENCY (1)"),
]


_HELP = """
[bold]A priority-queuing gateway[/] for an API that can only do so much at once.

Requests go on the queue [green]high[/] or [yellow]low[/] by their path; workers forward them to the target, high \
first; the client just waits for its answer.

Without a command the environment decides: with [cyan]FAST_PRIORITY_WORKERS[/] set, a worker runs, otherwise the \
gateway. That is how the container image is started.

See it, everything included: [cyan]fast-priority demo[/]

Prove it, and see how close it comes to theory: [cyan]fast-priority loadtest check[/]

On one machine, Redis included: [cyan]fast-priority standalone --target http://localhost:9000 --workers 4[/]

In production, a gateway: [cyan]FAST_PRIORITY_TARGET_BASE_URL=http://api run-fast-priority[/]

... and, elsewhere, four workers: [cyan]FAST_PRIORITY_WORKERS=4 run-fast-priority[/]

What is in force, and where from: [cyan]fast-priority config[/]
"""


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"fast-priority {version('fast-priority')}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=_HELP)
def run_by_environment(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Run what the environment asks for, unless a command was given."""
    with _errors_in_one_line():
        check_installed_versions()  # for each command: this runs before it
        if context.invoked_subcommand is not None:
            return
        settings = _load()
        if settings.runs_as_worker:
            _run_workers(settings)
        else:
            _run_gateway(settings)


@app.command()
def gateway(
    target: Target = None,
    host: Host = None,
    port: Port = None,
    redis_host: RedisHost = None,
    redis_port: RedisPort = None,
) -> None:
    """Run the gateway: take requests, queue them by priority, answer as the target does.

    Example: fast-priority gateway --target http://localhost:9000 --port 8000
    """
    with _errors_in_one_line():
        _run_gateway(_load(target_base_url=target, host=host, port=port, redis_host=redis_host, redis_port=redis_port))


@app.command()
def worker(
    workers: Workers = None,
    concurrency: Concurrency = None,
    target: Target = None,
    redis_host: RedisHost = None,
    redis_port: RedisPort = None,
) -> None:
    """Run workers: take requests off the queues, high first, and forward them.

    The target sees at most processes x slots requests at once. Without --target a worker sends each request where the
    gateway that queued it says.

    Example: fast-priority worker --workers 2 --concurrency 8
    """
    with _errors_in_one_line():
        _run_workers(
            _load(
                workers=workers,
                worker_concurrency=concurrency,
                target_base_url=target,
                redis_host=redis_host,
                redis_port=redis_port,
            )
        )


@app.command()
def standalone(
    target: Target = None,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    concurrency: Concurrency = None,
) -> None:
    """Run gateway, workers and a Redis of their own in one command, for one machine.

    With FAST_PRIORITY_REDIS_HOST or any other FAST_PRIORITY_REDIS_* set, that Redis is used and none is started.

    Example: fast-priority standalone --target http://localhost:9000 --workers 4
    """
    from fast_priority.local.standalone import run_standalone

    with _errors_in_one_line():
        settings = _load(target_base_url=target, host=host, port=port, workers=workers, worker_concurrency=concurrency)
        run_standalone(settings, embed_redis=not settings.names_a_redis)


@app.command()
def demo(
    seconds: Annotated[float, typer.Option("--seconds", min=2, max=3600, help="How long the traffic lasts.")] = 15,
    slots: Annotated[int, typer.Option("--slots", min=1, max=64, help="Requests the target sees at once.")] = 4,
) -> None:
    """See high overtake low: everything is started here, under live traffic, and gone afterwards.

    Exits 1 if a low request was started while a high one was waiting.

    Example: fast-priority demo --seconds 10
    """
    from fast_priority.demo import run_demo

    with _errors_in_one_line():
        raise typer.Exit(run_demo(seconds=seconds, slots=slots))


@app.command(
    "mock-target", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def mock_target(context: typer.Context) -> None:
    """Run a mock target API with configurable latency; the same as `python -m mock_target`."""
    from mock_target.cli import app as mock_app

    mock_app(context.args, prog_name="fast-priority mock-target")


@app.command(
    "loadtest", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def loadtest(context: typer.Context) -> None:
    """Prove that high requests overtake low ones, through this gateway or another; plan how many slots it takes."""
    from loadtests.cli import app as loadtest_app

    loadtest_app(context.args, prog_name="fast-priority loadtest")


@app.command()
def config() -> None:
    """Show every setting: the value in force, where it came from, what it means. Secrets are masked."""
    with _errors_in_one_line():
        settings = _load()
        console = Console()
        if console.width >= _TABLE_COLUMNS:
            console.print(_settings_table(settings))
        else:  # narrow, or piped to a search: a line each, whole
            for origin in origins(settings):
                typer.echo(f"{origin.variable}={origin.value}  # {origin.source}: {origin.meaning}")
        role = f"{settings.worker_processes} worker processes" if settings.runs_as_worker else "a gateway"
        typer.echo(f"By this environment, `run-fast-priority` runs {role}.")
        if settings.target_base_url is None:
            typer.echo("A gateway needs FAST_PRIORITY_TARGET_BASE_URL; a worker does not.")


def _settings_table(settings: Settings) -> Table:
    table = Table(Column("setting", no_wrap=True), Column("value", overflow="fold"), "from", "meaning")
    for origin in origins(settings):
        # As Text: what stands in brackets in a value is no markup.
        cells = map(Text, (origin.variable, origin.value, origin.source, origin.meaning))
        table.add_row(*cells, style=None if origin.source == "default" else "bold")
    return table


def main() -> None:
    """Run the program; the console script's entry point."""
    app()


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        for line in str(error).splitlines():
            typer.echo(f"error: {line}", err=True)
        raise typer.Exit(_EXIT_CONFIGURATION) from None


def _load(**overrides: Any) -> Settings:
    for warning in warnings_about_environment():
        typer.echo(f"warning: {warning}", err=True)
    return Settings.load(**overrides)


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def _run_gateway(settings: Settings) -> None:
    from fast_priority.app import create_app
    from fast_priority.server import server_for
    from fast_priority.support.gc_tuning import collect_rarely

    _log_to_stderr()
    server = server_for(create_app(settings), settings)
    collect_rarely()
    server.run()
    if not server.started:
        raise typer.Exit(1)


def _run_workers(settings: Settings) -> None:
    from fast_priority.worker import PriorityWorkerPool

    PriorityWorkerPool(settings).run()
