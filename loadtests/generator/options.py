"""Options of the load test beside locust's own: on the command line, in the environment and on locust's page."""

import resource
from typing import Any

from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtests.generator.traffic import Traffic
from loadtests.scenarios import (
    GATEWAY_URL,
    SCENARIO_OPTIONS,
    ArrivalProcess,
    Bursts,
    OpenLoop,
    Scenario,
    Sizing,
    build_scenario,
)

# With more, the sending process itself would be the bottleneck.
_MOST_REQUESTS_PER_SECOND = 1000
# Files of locust itself; each user needs one more for its connection.
_FILES_OF_LOCUST = 50


def add_options(parser: LocustArgumentParser) -> None:
    """Add the options to locust's parser. On the page a fixed choice is a list."""
    for option in SCENARIO_OPTIONS:
        parser.add_argument(
            option.name,
            env_var=option.variable,
            type=str if option.default is None else type(option.default),
            default=option.default,
            choices=option.choices or None,
            help=option.meaning,
            include_in_web_ui=option.is_on_page,
        )


def options_of(environment: Environment) -> Any:
    """Return the current options; the page changes them from test to test."""
    # In locust's types it may be None: only if locust is used as a library.
    return environment.parsed_options


def gateway_urls(environment: Environment) -> list[str]:
    """Return the base URLs of the gateways: several that share one queue are comma-separated."""
    return [url.strip() for url in (environment.host or GATEWAY_URL).split(",")]


def make_traffic(environment: Environment) -> Traffic:
    """Return the traffic for the options. Raises ValueError, which names the invalid option."""
    options = options_of(environment)
    sizing = Sizing(
        slots=options.slots,
        service_seconds=options.service_seconds,
        seconds=options.seconds,
        seed=options.seed,
        high_path=options.high_path,
        low_path=options.low_path,
        load=options.load,
    )
    scenario = build_scenario(options.scenario, sizing)
    _refuse_too_much(scenario)
    return Traffic(scenario, sizing, gateway_urls(environment), environment.events.request.fire)


def _refuse_too_much(scenario: Scenario) -> None:
    """Raise ValueError for more than one process can send: it would be slow itself, not the gateway."""
    loops = [stream.source for stream in scenario.streams]
    per_second = sum(_per_second(loop.process) for loop in loops if isinstance(loop, OpenLoop))
    if per_second > _MOST_REQUESTS_PER_SECOND:
        raise ValueError(
            f"{scenario.name} would send {per_second:.0f} requests a second, and one process can send "
            f"{_MOST_REQUESTS_PER_SECOND}: use fewer --slots or a longer --service-seconds"
        )
    users = sum(loop.users for loop in loops if not isinstance(loop, OpenLoop))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and users > files - _FILES_OF_LOCUST:
        raise ValueError(
            f"{scenario.name} would have {users} users, and this process may open {files} files: "
            "use fewer --slots, or raise ulimit -n"
        )


def _per_second(process: ArrivalProcess) -> float:
    return process.size / process.every_seconds if isinstance(process, Bursts) else process.per_second
