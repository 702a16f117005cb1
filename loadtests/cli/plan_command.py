"""`loadtest plan`: how many slots a load needs."""

from typing import Annotated

import typer
from rich.console import Console

from fast_priority.errors import ConfigurationError
from loadtests.cli.exit_codes import errors_to_exit_codes
from loadtests.queueing import plan_slots
from loadtests.report import describe_plan


def plan(
    high: Annotated[float, typer.Option("--high", min=0, help="High-priority requests per second.")],
    low: Annotated[float, typer.Option("--low", min=0, help="Low-priority requests per second.")],
    service_seconds: Annotated[
        float, typer.Option("--service-seconds", min=1e-6, help="Mean seconds that the target takes for one.")
    ],
    within: Annotated[float, typer.Option("--within", min=1e-6, help="Seconds that high requests may wait.")],
    measure: Annotated[str, typer.Option("--measure", help="Which wait of high: mean, p95 or p99.")] = "p95",
) -> None:
    """Show how many slots keep the wait of high-priority requests below a bound.

    \b
    fast-priority loadtest plan --high 20 --low 100 --service-seconds 0.05 --within 0.02
    """
    with errors_to_exit_codes():
        try:
            planned = plan_slots(high, low, service_seconds, within, measure)  # type: ignore[arg-type]
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        console = Console(highlight=False)
        for part in describe_plan(planned):
            console.print(part)
