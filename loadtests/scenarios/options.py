"""The options that choose and size a scenario, for locust: one table, also for a help text where locust is missing."""

from dataclasses import dataclass

from loadtests.scenarios.catalogue import SCENARIOS

GATEWAY_URL = "http://localhost:8000"
MOCK_TARGET_URL = "http://localhost:9000"


@dataclass(frozen=True, slots=True)
class ScenarioOption:
    """One option: its name, the variable of the environment that sets it too, its default, and what it means."""

    name: str
    variable: str
    default: str | float | None
    meaning: str
    choices: tuple[str, ...] = ()
    is_on_page: bool = True
    """Whether locust's page has a field for it."""


SCENARIO_OPTIONS = (
    ScenarioOption(
        "--scenario", "LOADTEST_SCENARIO", next(iter(SCENARIOS)), "The scenario to run", choices=tuple(SCENARIOS)
    ),
    ScenarioOption("--slots", "LOADTEST_SLOTS", 4, "Number of requests that the gateway forwards at once"),
    ScenarioOption("--service-seconds", "LOADTEST_SERVICE_SECONDS", 0.2, "How long the target takes for a request"),
    ScenarioOption("--seconds", "LOADTEST_SECONDS", 30.0, "How long requests are sent"),
    ScenarioOption("--load", "LOADTEST_LOAD", 0.8, "For the scenario mixed: the offered share of the slots' time"),
    ScenarioOption("--seed", "LOADTEST_SEED", 1, "The same seed sends at the same times"),
    ScenarioOption("--high-path", "LOADTEST_HIGH_PATH", "/high", "A path with high priority at the gateway"),
    ScenarioOption("--low-path", "LOADTEST_LOW_PATH", "/low", "A path with low priority at the gateway"),
    ScenarioOption("--target-url", "MOCK_TARGET_URL", MOCK_TARGET_URL, "The mock target, for its arrival log"),
    ScenarioOption(
        "--sent-file",
        "LOADTEST_SENT_FILE",
        None,
        "Write the sent requests to this file, a JSON object a line, and judge nothing",
        is_on_page=False,
    ),
)
