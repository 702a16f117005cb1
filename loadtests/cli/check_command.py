"""`loadtest check`: scenarios against a gateway, judged."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from fast_priority.errors import ConfigurationError
from loadtests.check import (
    CheckOptions,
    StackShape,
    StackSize,
    SystemUnderTest,
    external_gateway,
    own_stack,
    plan_runs,
    read_loads,
)
from loadtests.cli.check_session import ResultFolder, SystemFactory, run_and_report
from loadtests.cli.exit_codes import errors_to_exit_codes, require_modules
from loadtests.cli.options import Tolerance
from loadtests.clients import READY_WITHIN_SECONDS
from loadtests.oracle import DEFAULT_TOLERANCE_SECONDS, Verdict
from loadtests.scenarios import SCENARIOS

_OWN_SLOTS = 4
_NAMES = ", ".join(SCENARIOS)


def check(
    url: Annotated[
        list[str] | None,
        typer.Option("--url", help="Base URL of a running gateway; may be repeated. Default: start a whole stack."),
    ] = None,
    target_url: Annotated[
        str | None, typer.Option("--target-url", help="Base URL of the mock target behind it. Goes with --url.")
    ] = None,
    slots: Annotated[
        int | None,
        typer.Option("--slots", min=1, help="Requests forwarded at once; required with --url. Own stack: 4."),
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Own stack: worker processes (1).")] = None,
    gateways: Annotated[int | None, typer.Option("--gateways", min=1, help="Own stack: gateways (1).")] = None,
    shape: Annotated[
        StackShape | None,
        typer.Option("--shape", help="Own stack: who has the slots, workers, the gateways, or some each (workers)."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option("--scenario", metavar="NAME", help=f"Run only this one; may be repeated. One of {_NAMES}."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the scenarios that prove the order, in half a minute.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=1, help="How long each scenario sends requests.")
    ] = None,
    service_seconds: Annotated[
        float | None, typer.Option("--service-seconds", min=0.001, help="Seconds that the target takes for a request.")
    ] = None,
    load: Annotated[
        str, typer.Option("--load", help="For scenario mixed: shares of the slots' time, comma-separated.")
    ] = "0.8",
    seed: Annotated[int, typer.Option("--seed", help="Send at the same times in every run.")] = 1,
    high_path: Annotated[str, typer.Option("--high-path", help="A path with high priority at the gateway.")] = "/high",
    low_path: Annotated[str, typer.Option("--low-path", help="A path with low priority at the gateway.")] = "/low",
    tolerance_seconds: Tolerance = DEFAULT_TOLERANCE_SECONDS,
    patience_seconds: Annotated[
        float, typer.Option("--patience-seconds", min=0, help="How long to wait until --url and --target-url respond.")
    ] = READY_WITHIN_SECONDS,
    out: Annotated[
        Path, typer.Option("--out", file_okay=False, help="Folder for report.html, results.json and junit.xml.")
    ] = Path("loadtest-results"),
) -> None:
    """Run scenarios against a gateway, judge them, and write a report.

    Without --url a whole stack is started on this machine: Redis, a mock target, the gateway and workers; with
    --shape slots the gateway alone, which then has the slots itself.
    With --url the gateway must have the mock target behind it: its arrival log is the evidence.

    \b
    fast-priority loadtest check
    fast-priority loadtest check --quick --slots 16 --workers 2 --gateways 2
    fast-priority loadtest check --quick --shape slots
    fast-priority loadtest check --scenario mixed --load 0.5,0.8,0.95 --slots 8 --seconds 300
    fast-priority loadtest check --url http://localhost:8080 --target-url http://localhost:9000 --slots 4
    """
    verdict = Verdict.UNPROVED
    start_system: SystemFactory
    with errors_to_exit_codes():
        require_modules("locust", "matplotlib", "jinja2")
        result_folder = ResultFolder(out)
        options = CheckOptions(
            slots=slots or _OWN_SLOTS,
            scenarios=tuple(scenario or ()),
            quick=quick,
            seconds=seconds,
            service_seconds=service_seconds,
            loads=read_loads(load),
            seed=seed,
            high_path=high_path,
            low_path=low_path,
        )
        runs, skipped = plan_runs(options, can_drain=not url and shape is not StackShape.SLOTS)
        if url or target_url:
            _refuse_bad_combination(url, target_url, slots, workers or gateways or shape)
            given = SystemUnderTest(tuple(url or ()), target_url or "", options.slots)
            paths = {"--high-path": high_path, "--low-path": low_path}
            start_system = partial(external_gateway, given, paths, patience_seconds)
        else:
            if workers is not None and shape is StackShape.SLOTS:
                raise ConfigurationError("--shape slots runs no workers: leave --workers out, or choose --shape mixed")
            size = StackSize(
                options.slots, workers or 1, gateways or 1, high_path, low_path, shape or StackShape.WORKERS
            )
            start_system = partial(own_stack, size)
        verdict = run_and_report(start_system, runs, skipped, tolerance_seconds, result_folder)
    if verdict is Verdict.VIOLATED and url:
        typer.echo(
            f"Is {high_path} high and {low_path} low at this gateway, and does it forward {slots} requests at once? "
            "If not: --high-path, --low-path, --slots.",
            err=True,
        )
    raise typer.Exit(verdict.exit_code)


def _refuse_bad_combination(
    urls: list[str] | None, target_url: str | None, slots: int | None, own_parts: int | str | None
) -> None:
    if not urls or not target_url:
        raise ConfigurationError("--url and --target-url go together: a gateway, and the mock target behind it")
    if slots is None:
        raise ConfigurationError(
            "--slots is missing: how many requests does the gateway forward at once? Ours says it at /gateway_health"
        )
    if own_parts is not None:
        raise ConfigurationError("--workers, --gateways and --shape are for the own stack: leave them out with --url")
