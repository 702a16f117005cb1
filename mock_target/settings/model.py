"""The settings of a mock target: those that can change while it runs, and those it is started with. Pure."""

from dataclasses import dataclass, field, replace

from mock_target.settings.behaviour import NOTHING_SET, Behaviour
from mock_target.settings.knob import read_value
from mock_target.settings.knob_table import DEFAULTS, KNOBS_BY_NAME, make_behaviour
from mock_target.settings.routes import Route

DEFAULT_LOG_SIZE = 100_000
"""How many arrivals the log keeps."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The default behaviour, and the routes that override it."""

    behaviour: Behaviour = DEFAULTS
    routes: tuple[Route, ...] = ()

    def behaviour_for(self, method: str, raw_path: str, overrides: Behaviour) -> Behaviour:
        """Return the behaviour for a request: default, overridden by the first matching route and the request."""
        behaviour = self.behaviour
        for route in self.routes:
            if route.applies_to(method, raw_path):
                behaviour = behaviour.merge(route.behaviour)
                break
        return behaviour if overrides is NOTHING_SET else behaviour.merge(overrides)

    def with_knob(self, name: str, text: str, parameter: str) -> "Settings":
        """Return these settings with one knob's default set from text. Raises KnobError, which names `parameter`."""
        value = read_value(KNOBS_BY_NAME[name].parse, text, parameter)
        return replace(self, behaviour=make_behaviour({**self.behaviour.values(), name: value}))


@dataclass(frozen=True)
class MockSettings:
    """What one mock target is started with.

    `latency` is the default latency in the grammar of `latency.py` (None: that of `settings`); `seed` makes the random
    draws the same in every run (None: different each time); `log_size` is how many arrivals are kept, 1 or more
    (create_app refuses others); `settings` is all the rest. Raises KnobError for an invalid latency.
    """

    latency: str | None = None
    seed: int | None = None
    log_size: int = DEFAULT_LOG_SIZE
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        if self.latency is not None:
            object.__setattr__(self, "settings", self.settings.with_knob("latency", self.latency, "latency"))
