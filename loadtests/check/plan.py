"""Which scenarios a check runs, and for how long. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from fast_priority.errors import ConfigurationError
from loadtests.scenarios import SCENARIOS, Sizing

QUICK = ("saturation", "burst")
QUICK_SECONDS = 10.0
SECONDS = 15.0
# Waits are compared as means, which need many requests.
MIXED_SECONDS = 240.0
CALIBRATION_SECONDS = 8.0
# With any number of slots, one becomes free each 50 ms: more often, and high requests would hardly wait long enough
# for their order to be judged.
LEAST_SERVICE_SECONDS = 0.2
SERVICE_SECONDS_PER_SLOT = 0.05
MOST_SERVICE_SECONDS = 3.2
_LEAST_SERVICES = 12
MIXED_SERVICE_SECONDS = 0.05
DRAIN = "drain"
MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One scenario to run, with its sizing."""

    name: str
    sizing: Sizing

    @property
    def title(self) -> str:
        """Its name in the results."""
        return f"{self.name} at {self.sizing.load:.0%}" if self.calibrate else self.name

    @property
    def calibrate(self) -> bool:
        """Whether the time that a slot is held has to be measured first."""
        return self.name == MIXED


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options of a check; None means the default."""

    slots: int
    scenarios: tuple[str, ...] = ()
    quick: bool = False
    seconds: float | None = None
    service_seconds: float | None = None
    loads: tuple[float, ...] = (0.8,)
    seed: int = 1
    high_path: str = "/high"
    low_path: str = "/low"


def plan_runs(options: CheckOptions, *, can_drain: bool) -> tuple[tuple[PlannedRun, ...], dict[str, str]]:
    """Return the runs in their order, and the skipped scenarios with the reason.

    The scenario that ends gateways is last, because nothing can run after it. Raises ConfigurationError for an unknown
    scenario.
    """
    for name in options.scenarios:
        if name not in SCENARIOS:
            raise ConfigurationError(f"--scenario {name} is not a scenario: choose from {', '.join(SCENARIOS)}")
    wanted: Sequence[str] = options.scenarios or (QUICK if options.quick else tuple(SCENARIOS))
    skipped: dict[str, str] = {}
    if DRAIN in wanted and not can_drain:
        skipped[DRAIN] = "it restarts workers and ends the gateway, and this check did not start them both"
    names = [name for name in dict.fromkeys(wanted) if name not in skipped]
    names.sort(key=lambda name: name == DRAIN)
    runs: list[PlannedRun] = []
    for name in names:
        runs += _plan_mixed(options) if name == MIXED else [PlannedRun(name, _size_by_slots(options))]
    return tuple(runs), skipped


def read_loads(text: str) -> tuple[float, ...]:
    """Parse the loads of scenario mixed: numbers above 0 and below 1, comma-separated; else ConfigurationError."""
    try:
        loads = tuple(float(part) for part in text.split(","))
    except ValueError:
        loads = ()
    if not loads or not all(0 < load < 1 for load in loads):
        raise ConfigurationError(f"--load {text} is invalid: use numbers above 0 and below 1, like 0.5,0.8")
    return loads


def _plan_mixed(options: CheckOptions) -> list[PlannedRun]:
    service_seconds = options.service_seconds or MIXED_SERVICE_SECONDS
    return [PlannedRun(MIXED, _size(options, MIXED_SECONDS, service_seconds, load)) for load in options.loads]


def _size_by_slots(options: CheckOptions) -> Sizing:
    usual_seconds = min(max(LEAST_SERVICE_SECONDS, SERVICE_SECONDS_PER_SLOT * options.slots), MOST_SERVICE_SECONDS)
    service_seconds = options.service_seconds or usual_seconds
    least_seconds = QUICK_SECONDS if options.quick else SECONDS
    return _size(options, max(least_seconds, _LEAST_SERVICES * service_seconds), service_seconds)


def _size(options: CheckOptions, seconds: float, service_seconds: float, load: float = 0.8) -> Sizing:
    try:
        return Sizing(
            slots=options.slots,
            service_seconds=service_seconds,
            seconds=options.seconds or seconds,
            seed=options.seed,
            high_path=options.high_path,
            low_path=options.low_path,
            load=load,
        )
    except ValueError as error:
        raise ConfigurationError(f"invalid options: {error}") from error
