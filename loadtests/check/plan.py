"""Which scenarios a check runs, how long, and against what. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from fast_priority.errors import ConfigurationError
from loadtests.scenarios import SCENARIOS, Sizing

QUICK = ("saturation", "burst")
QUICK_SECONDS = 10.0
SECONDS = 15.0
# Waits are compared as means, and with fewer requests the means would tell too little.
MIXED_SECONDS = 240.0
CALIBRATION_SECONDS = 8.0
# A slot becomes free each 50 ms, however many there are: more often, and hardly a high request would wait for so long
# that one sees who went ahead of it.
LEAST_SERVICE_SECONDS = 0.2
SERVICE_SECONDS_PER_SLOT = 0.05
MOST_SERVICE_SECONDS = 3.2
_LEAST_SERVICES = 12
MIXED_SERVICE_SECONDS = 0.05
DRAIN = "drain"
MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario to run, and how large it is."""

    name: str
    sizing: Sizing

    @property
    def title(self) -> str:
        """What it is called among others."""
        return f"{self.name} at {self.sizing.load:.0%}" if self.calibrate else self.name

    @property
    def calibrate(self) -> bool:
        """Whether it has to be found out first how long a slot is held."""
        return self.name == MIXED


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for; None means what is usual."""

    slots: int
    scenarios: tuple[str, ...] = ()
    quick: bool = False
    seconds: float | None = None
    service_seconds: float | None = None
    loads: tuple[float, ...] = (0.8,)
    seed: int = 1
    high_path: str = "/high"
    low_path: str = "/low"


def plan_runs(wishes: Wishes, *, can_drain: bool) -> tuple[tuple[Run, ...], dict[str, str]]:
    """Give the runs in their order, and the scenarios that are left out with the reason.

    The scenario that ends parts of the stack comes last, because nothing can be run after it. Raises
    ConfigurationError for a scenario that there is not.
    """
    for name in wishes.scenarios:
        if name not in SCENARIOS:
            raise ConfigurationError(f"--scenario {name} is none of the scenarios: take {', '.join(SCENARIOS)}")
    wanted: Sequence[str] = wishes.scenarios or (QUICK if wishes.quick else tuple(SCENARIOS))
    skipped: dict[str, str] = {}
    if DRAIN in wanted and not can_drain:
        skipped[DRAIN] = "it restarts workers and ends the gateway, and these are not this check's own"
    names = [name for name in dict.fromkeys(wanted) if name not in skipped]
    names.sort(key=lambda name: name == DRAIN)
    runs: list[Run] = []
    for name in names:
        runs += _plan_mixed(wishes) if name == MIXED else [Run(name, _size_by_slots(wishes))]
    return tuple(runs), skipped


def read_loads(text: str) -> tuple[float, ...]:
    """Read the loads of scenario mixed: numbers above 0 and below 1, comma-separated; else ConfigurationError."""
    try:
        loads = tuple(float(part) for part in text.split(","))
    except ValueError:
        loads = ()
    if not loads or not all(0 < load < 1 for load in loads):
        raise ConfigurationError(f"--load {text} is not right: give numbers above 0 and below 1, like 0.5,0.8")
    return loads


def _plan_mixed(wishes: Wishes) -> list[Run]:
    service_seconds = wishes.service_seconds or MIXED_SERVICE_SECONDS
    return [Run(MIXED, _size(wishes, MIXED_SECONDS, service_seconds, load)) for load in wishes.loads]


def _size_by_slots(wishes: Wishes) -> Sizing:
    usual_seconds = min(max(LEAST_SERVICE_SECONDS, SERVICE_SECONDS_PER_SLOT * wishes.slots), MOST_SERVICE_SECONDS)
    service_seconds = wishes.service_seconds or usual_seconds
    least_seconds = QUICK_SECONDS if wishes.quick else SECONDS
    return _size(wishes, max(least_seconds, _LEAST_SERVICES * service_seconds), service_seconds)


def _size(wishes: Wishes, seconds: float, service_seconds: float, load: float = 0.8) -> Sizing:
    try:
        return Sizing(
            slots=wishes.slots,
            service_seconds=service_seconds,
            seconds=wishes.seconds or seconds,
            seed=wishes.seed,
            high_path=wishes.high_path,
            low_path=wishes.low_path,
            load=load,
        )
    except ValueError as error:
        raise ConfigurationError(f"what was asked for cannot be: {error}") from error
