"""The command line: one program with two names, `run-fast-priority` and `fast-priority`."""

import logging
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from fast_priority.local.command_line import errors_in_one_line, load_settings
from fast_priority.local.policy_commands import explain, key
from fast_priority.settings import Settings, origins, reason_of_role
from fast_priority.support.installed_versions import check_installed_versions, own_version

logger = logging.getLogger(__name__)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

_TABLE_COLUMNS = 110

Target = Annotated[
    str | None,
    typer.Option(
        "--target", metavar="URL", help="Base URL of the API behind the gateway. [FAST_PRIORITY_TARGET_BASE_URL]"
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        help="Addresses that the gateway listens on, with commas; 127.0.0.1 is only this machine, :: is IPv4 and IPv6. "
        "[FAST_PRIORITY_HOST, default 0.0.0.0: all its addresses of IPv4]",
    ),
]
Port = Annotated[
    int | None, typer.Option("--port", help="Port that the gateway listens on. [FAST_PRIORITY_PORT, default 8000]")
]
RedisHost = Annotated[
    str | None, typer.Option("--redis-host", help="Redis host. [FAST_PRIORITY_REDIS_HOST, default localhost]")
]
RedisPort = Annotated[
    int | None, typer.Option("--redis-port", help="Redis port. [FAST_PRIORITY_REDIS_PORT, default 6379]")
]
Slots = Annotated[
    int | None,
    typer.Option(
        "--slots",
        metavar="N",
        help="Slots of the gateway itself: queued requests that it forwards at the same time, without a worker. 0 "
        "leaves all of them to workers. [FAST_PRIORITY_SLOTS, default 0; in `standalone` 1, with workers 0]",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Number of worker processes. [FAST_PRIORITY_WORKERS, default 1; in `standalone` none]",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        metavar="N",
        help="Slots of each worker process: requests that it forwards at the same time. "
        "[FAST_PRIORITY_WORKER_CONCURRENCY, default 1]",
    ),
]


_HELP = """
[bold]A priority-queuing gateway[/] for an API that can do only a limited amount of work at the same time.

The path of a request, or your rules, decide whether it waits in the queue [green]high[/] or [yellow]low[/]. The \
gateway itself, or worker processes, forward waiting requests to the API, high ones first, and only as many at the \
same time as they have slots. The client waits for its response as usual.

Without a command, the environment decides what runs: workers if [cyan]FAST_PRIORITY_WORKERS[/] is set, else a \
gateway. The container image starts this way.

See it work (starts all that it needs): [cyan]fast-priority demo[/]

Run all of it on one machine, with a Redis: \
[cyan]fast-priority standalone --target http://localhost:9000 --slots 4[/]

Run a gateway with four slots, with a Redis on localhost: \
[cyan]FAST_PRIORITY_SLOTS=4 FAST_PRIORITY_TARGET_BASE_URL=http://api run-fast-priority[/]

... or, without its slots, four workers beside it: [cyan]FAST_PRIORITY_WORKERS=4 run-fast-priority[/]

Show every setting and its current value: [cyan]fast-priority config[/]

Measure that high requests overtake low ones: [cyan]fast-priority loadtest check[/]
"""


def _show_version(is_asked_for: bool) -> None:
    if is_asked_for:
        typer.echo(f"fast-priority {own_version()}")
        raise typer.Exit


@app.callback(invoke_without_command=True, help=_HELP)
def run_by_environment(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Run workers or a gateway, as the environment decides, if there is no command."""
    with errors_in_one_line():
        check_installed_versions()  # for each command: this runs before it
        if context.invoked_subcommand is not None:
            return
        settings = load_settings()
        why = reason_of_role(settings)
        if settings.runs_as_worker:
            _run_workers(settings, why)
        else:
            _run_gateway(settings, why)


@app.command()
def gateway(
    target: Target = None,
    host: Host = None,
    port: Port = None,
    slots: Slots = None,
    redis_host: RedisHost = None,
    redis_port: RedisPort = None,
    listen_fds: Annotated[
        str | None, typer.Option("--listen-fds", hidden=True, help="Sockets that `standalone` passes on.")
    ] = None,
) -> None:
    """Run the gateway: receive requests, queue them by priority, and return the responses of the target.

    With --slots it forwards queued requests by itself, high ones first, and needs no worker. Without, workers forward
    them. Both go together: gateways with slots and workers on one Redis share its queues.

    Example: fast-priority gateway --target http://localhost:9000 --slots 4
    """
    with errors_in_one_line():
        settings = load_settings(
            target_base_url=target, host=host, port=port, slots=slots, redis_host=redis_host, redis_port=redis_port
        )
        _run_gateway(settings, "the command is `fast-priority gateway`", listen_fds)


@app.command()
def worker(
    workers: Workers = None,
    concurrency: Concurrency = None,
    target: Target = None,
    redis_host: RedisHost = None,
    redis_port: RedisPort = None,
) -> None:
    """Run workers: take requests from the queues, high ones first, and forward them to the target.

    The target gets at most processes x concurrency queued requests at the same time.

    Without --target, a worker sends each request to the target of the gateway that has queued it.

    Example: fast-priority worker --workers 2 --concurrency 8
    """
    with errors_in_one_line():
        settings = load_settings(
            workers=workers,
            worker_concurrency=concurrency,
            target_base_url=target,
            redis_host=redis_host,
            redis_port=redis_port,
        )
        _run_workers(settings, "the command is `fast-priority worker`")


@app.command()
def standalone(
    target: Target = None,
    host: Host = None,
    port: Port = None,
    slots: Slots = None,
    processes: Annotated[
        int,
        typer.Option("--processes", metavar="N", min=1, max=512, help="Gateway processes on one port (Linux only)."),
    ] = 1,
    workers: Workers = None,
    concurrency: Concurrency = None,
) -> None:
    """Run a gateway and a Redis together on one machine, with slots in the gateway, or workers, or both.

    The target gets as many queued requests at the same time as there are slots: 1 by default, --slots N for N, divided
    over the gateway processes. With --workers or --concurrency, workers have slots, and the gateway only with --slots.

    The gateway listens on all addresses of the machine and has no login; --host 127.0.0.1 is for this machine only.

    If FAST_PRIORITY_REDIS_HOST or another FAST_PRIORITY_REDIS_* variable is set, no Redis is started.

    Example: fast-priority standalone --target http://localhost:9000 --slots 4
    """
    from fast_priority.local.standalone import run_standalone

    with errors_in_one_line():
        settings = load_settings(
            target_base_url=target, host=host, port=port, slots=slots, workers=workers, worker_concurrency=concurrency
        )
        run_standalone(settings, processes, embed_redis=not settings.names_a_redis)


@app.command()
def demo(
    seconds: Annotated[
        float, typer.Option("--seconds", min=2, max=3600, help="Duration of the traffic in seconds.")
    ] = 15,
    slots: Annotated[
        int, typer.Option("--slots", min=1, max=64, help="Requests that the target gets at the same time.")
    ] = 4,
) -> None:
    """Watch high requests overtake low ones, under live traffic. All that it needs is started, and stopped at the end.

    Exit status 1 if a low request was started while a high one waited.

    Example: fast-priority demo --seconds 10
    """
    from loadtests.demo import run_demo

    with errors_in_one_line():
        raise typer.Exit(run_demo(seconds=seconds, slots=slots))


@app.command(
    "mock-target", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def mock_target(context: typer.Context) -> None:
    """Run a mock of a target API with a latency of your choice; the same as `python -m mock_target`."""
    from mock_target.cli import app as mock_app

    mock_app(context.args, prog_name="fast-priority mock-target")


@app.command(
    "loadtest", context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def loadtest(context: typer.Context) -> None:
    """Measure whether high requests overtake low ones, in this gateway or another one, and plan the number of slots."""
    from loadtests.cli import app as loadtest_app

    loadtest_app(context.args, prog_name="fast-priority loadtest")


@app.command()
def config() -> None:
    """Show every setting: its value, where it came from, and what it means. Secrets are masked.

    These are the values that a process gets which is started here. No running process is asked.
    """
    with errors_in_one_line():
        settings = load_settings()
        console = Console()
        if console.width >= _TABLE_COLUMNS:
            console.print(_settings_table(settings))
        else:  # narrow, or piped to a search: one line for each setting, however long
            for origin in origins(settings):
                typer.echo(f"{origin.variable}={origin.value}  # from {origin.source}. {origin.meaning}")
        role = settings.workers_as_text if settings.runs_as_worker else f"a {settings.gateway_as_text}"
        typer.echo(f"With these settings, `run-fast-priority` runs {role}.")
        if settings.target_base_url is None:
            typer.echo("A gateway needs FAST_PRIORITY_TARGET_BASE_URL; a worker does not.")


app.command()(explain)
app.command()(key)


def _settings_table(settings: Settings) -> Table:
    table = Table(Column("setting", no_wrap=True), Column("value", overflow="fold"), "from", "meaning")
    for origin in origins(settings):
        # As Text: brackets in a value are not markup.
        cells = map(Text, (origin.variable, origin.value, origin.source, origin.meaning))
        table.add_row(*cells, style=None if origin.source == "default" else "bold")
    return table


def main() -> None:
    """Run the program: the entry point of the console scripts."""
    app()


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)


def _run_gateway(settings: Settings, why: str, listen_fds: str | None = None) -> None:
    from fast_priority.app import create_app
    from fast_priority.server import inherited_sockets, server_for
    from fast_priority.support.gc_tuning import collect_rarely

    _log_to_stderr()
    sockets = None if listen_fds is None else inherited_sockets(listen_fds)
    built = create_app(settings)
    if built.policy is not None:
        signal.signal(signal.SIGHUP, _asking(built.policy.ask))
    server = server_for(built, settings, sockets)
    logger.info("gateway: %s", why)
    collect_rarely()
    server.run()
    if not server.started:
        raise typer.Exit(1)


def _asking(ask: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: ask()


def _run_workers(settings: Settings, why: str) -> None:
    from fast_priority.worker import PriorityWorkerPool

    _log_to_stderr()
    place, note = settings.redis_address, settings.note_on_dotenv
    target = settings.target_base_url or "the target of each request's gateway"
    pool = PriorityWorkerPool(settings)
    logger.info("worker: %s", why)
    logger.info(
        "Fast Priority %s: %s for %s, with the queues of Redis at %s%s",
        own_version(),
        settings.workers_as_text,
        target,
        place,
        note,
    )
    pool.run()


if __name__ == "__main__":
    main()
