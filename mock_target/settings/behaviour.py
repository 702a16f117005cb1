"""How the mock handles a request: a value for each knob, and how one behaviour overrides another. Pure."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from mock_target.settings.latency import Latency
from mock_target.settings.value_parsers import MAX_SECONDS, parse_seconds, whole_number_parser

MAX_DRIBBLE_PIECES = 10_000

_parse_pieces = whole_number_parser(1, MAX_DRIBBLE_PIECES, "a number of pieces")


class Fault(StrEnum):
    """A fault below HTTP."""

    RESET = "reset"
    EMPTY = "empty"
    TRUNCATE = "truncate"
    RESET_MIDWAY = "reset_midway"
    GARBAGE = "garbage"
    MALFORMED = "malformed"
    HANG = "hang"
    SLOW_CLOSE = "slow_close"


def parse_fault(text: str) -> Fault:
    """Parse the name of a fault. Raises ValueError with the list of all."""
    try:
        return Fault(text)
    except ValueError:
        raise ValueError(f"write one of {', '.join(Fault)}") from None


@dataclass(frozen=True, slots=True)
class Dribble:
    """A body sent in `pieces` (1 to 10,000) spread evenly over `seconds` (0 to 3600), the last one at the end."""

    pieces: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.pieces},{self.seconds:g}"


def parse_dribble(text: str) -> Dribble:
    """Parse a dribble, `pieces,seconds`. Raises ValueError with what to write."""
    pieces, _, seconds = (part.strip() for part in text.partition(","))
    try:
        return Dribble(_parse_pieces(pieces), parse_seconds(seconds))
    except ValueError:
        raise ValueError(
            f"write pieces,seconds like 5,2: 1 to {MAX_DRIBBLE_PIECES} pieces, 0 to {MAX_SECONDS:g} seconds"
        ) from None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The value of each knob, by the knob's name; None: not set. `knob_table.py` has their meanings and bounds.

    Sizes are bytes, bandwidth is bytes per second, delays and retry_after are seconds, rates are shares from 0 to 1.
    """

    latency: Latency | None = None
    dribble: Dribble | None = None
    bandwidth: int | None = None
    status: int | None = None
    size: int | None = None
    body: str | None = None
    content_type: str | None = None
    fields: tuple[tuple[str, str], ...] | None = None
    redirect: str | None = None
    gzip: bool | None = None
    tokens: int | None = None
    token_rate: float | None = None
    load_seconds: float | None = None
    error_rate: float | None = None
    error_status: int | None = None
    fault: Fault | None = None
    fault_rate: float | None = None
    close_delay: float | None = None
    limit: int | None = None
    max_queued: int | None = None
    limit_status: int | None = None
    retry_after: int | None = None

    def values(self) -> dict[str, object]:
        """Return the value of each knob by its name."""
        return {name: getattr(self, name) for name in _NAMES}

    def merge(self, over: "Behaviour") -> "Behaviour":
        """Return this behaviour, overridden with what `over` sets.

        A fault that `over` sets without a rate applies to every request, not at the rate of the one that it replaces.
        """
        values = {name: value for name in _NAMES if (value := getattr(over, name)) is not None}
        if over.fault is not None:
            values.setdefault("fault_rate", 1.0)
        return replace(self, **values)


_NAMES = tuple(field.name for field in fields(Behaviour))
NOTHING_SET = Behaviour()
