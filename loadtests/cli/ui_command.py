"""`loadtest ui`: locust's web page."""

import inspect
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from loadtests import locustfile_path
from loadtests.cli.exit_codes import errors_to_exit_codes, require_modules
from loadtests.scenarios import GATEWAY_URL, SCENARIO_OPTIONS, ScenarioOption


def _with_scenario_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with a parameter for each option of a scenario, so that its help shows them."""
    parameters = list(inspect.signature(command).parameters.values())[:-1]  # without **options
    for option in SCENARIO_OPTIONS:
        # A text, which is passed on: locust converts and judges it.
        annotation = Annotated[
            str | None, typer.Option(option.name, metavar=_metavar(option), show_default=False, help=_help(option))
        ]
        name = option.name.removeprefix("--").replace("-", "_")
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def _metavar(option: ScenarioOption) -> str:
    kinds = {int: "N", float: "NUMBER"}
    return "NAME" if option.choices else kinds.get(type(option.default), "TEXT")


def _help(option: ScenarioOption) -> str:
    choices = f": {', '.join(option.choices)}" if option.choices else ""
    default = "" if option.default is None else f", default {option.default}"
    return f"{option.meaning}{choices}. [{option.variable}{default}]"


@_with_scenario_options
def ui(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option("--host", metavar="URL", help=f"Base URL of the gateway. [LOCUST_HOST, default {GATEWAY_URL}]"),
    ] = None,
    **options: str | None,
) -> None:
    """Open locust's own web page, http://localhost:8089, with these scenarios.

    All other options are locust's and passed on, such as --web-port, or --headless for no page: `locust --help`.

    \b
    fast-priority loadtest ui --host http://localhost:8000 --target-url http://localhost:9000
    """
    with errors_to_exit_codes():
        require_modules("locust")
    # Replaces this process, so that locust gets signals and the terminal.
    os.execv(  # noqa: S606 - this interpreter, with the user's arguments
        sys.executable,
        [sys.executable, "-m", "locust", "-f", str(locustfile_path()), *_given(host=host, **options), *context.args],
    )


def _given(**options: Any) -> list[str]:
    given = {name: value for name, value in options.items() if value is not None}
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", value)]
