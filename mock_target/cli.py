"""The command line: `python -m mock_target --help` teaches it."""

from typing import Annotated

import typer
import uvicorn

from mock_target.app import create_app
from mock_target.arrivals import DEFAULT_LOG_SIZE
from mock_target.latency import LatencyError, parse_latency
from mock_target.settings import DEFAULT_LATENCY, MockSettings

# Long enough for an answer that is being written; a request in the midst of its latency is not worth waiting for.
SHUTDOWN_SECONDS = 2
# Longer than client pools keep an idle connection: a mock that closes one first would add failures of its own.
KEEP_ALIVE_SECONDS = 75

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _check_latency(text: str) -> str:
    try:
        parse_latency(text)
    except LatencyError as error:
        raise typer.BadParameter(str(error)) from error
    return text


@app.command()
def run(
    host: Annotated[str, typer.Option(envvar="MOCK_TARGET_HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(envvar="MOCK_TARGET_PORT", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 9000,
    latency: Annotated[
        str,
        typer.Option(
            envvar="MOCK_TARGET_LATENCY", callback=_check_latency, help="Default latency; see the grammar above."
        ),
    ] = DEFAULT_LATENCY,
    seed: Annotated[
        int | None, typer.Option(envvar="MOCK_TARGET_SEED", help="Draw the same latencies in every run.")
    ] = None,
    log_size: Annotated[
        int, typer.Option(envvar="MOCK_TARGET_LOG_SIZE", min=1, help="How many arrivals the log keeps.")
    ] = DEFAULT_LOG_SIZE,
) -> None:
    """Run a mock REST API that echoes every request, after a latency you choose.

    \b
    Latencies, in seconds:
      0.05                  always 0.05 (also fixed:0.05)
      uniform:0.01,0.2      from 0.01 to 0.2, all equally likely
      lognormal:0.05,0.5    median 0.05, sigma 0.5: some take much longer

    \b
    Examples:
      python -m mock_target
      python -m mock_target --port 9001 --latency uniform:0.01,0.2 --seed 1
      curl http://127.0.0.1:9000/any/path
      curl "http://127.0.0.1:9000/any/path?mock_latency=1.5&mock_status=503"
      curl -H "X-Mock-Size: 1000000" -o large.bin http://127.0.0.1:9000/large
      curl http://127.0.0.1:9000/__admin/arrivals
      curl -X DELETE http://127.0.0.1:9000/__admin/arrivals
      curl -X PUT http://127.0.0.1:9000/__admin/latency --json '{"latency": "0.2"}'

    While it runs, /docs describes the admin pages and the special pages under /mock/.
    """
    uvicorn.run(
        create_app(MockSettings(latency=latency, seed=seed, log_size=log_size)),
        host=host,
        port=port,
        access_log=False,
        # A request to upgrade is echoed like any other.
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


def main() -> None:
    """Run the command line."""
    app(prog_name="python -m mock_target")
