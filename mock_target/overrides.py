"""What one request may ask of its own answer, by query parameter or by request field. Pure.

    mock_latency   X-Mock-Latency   the wait before the answer, in the grammar of `mock_target.latency`
    mock_status    X-Mock-Status    the status code, 200 to 599
    mock_size      X-Mock-Size      the length of the body in bytes, 0 to 64 MiB

The query parameter wins over the field; of several with the same name the first one counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl

from mock_target.latency import Latency, LatencyError, parse_latency

MIN_STATUS = 200
MAX_STATUS = 599
MAX_SIZE_BYTES = 64 * 1024 * 1024

_FIELD_NAMES = {
    "mock_latency": "X-Mock-Latency",
    "mock_status": "X-Mock-Status",
    "mock_size": "X-Mock-Size",
}
_PARAMETERS_BY_FIELD = {field.lower().encode(): parameter for parameter, field in _FIELD_NAMES.items()}

T = TypeVar("T")


class OverrideError(ValueError):
    """Says which parameter has a value that cannot be: `parameter`, `value`, and how to `mend` it."""

    def __init__(self, parameter: str, value: str, mend: str) -> None:
        super().__init__(f"{parameter} is {value!r}: {mend}")
        self.parameter = parameter
        self.value = value
        self.mend = mend


@dataclass(frozen=True)
class Overrides:
    """What one request asks of its own answer; None means that it did not ask."""

    latency: Latency | None = None
    status: int | None = None
    size_bytes: int | None = None


_NO_OVERRIDES = Overrides()


def read_overrides(query: bytes, fields: Sequence[tuple[bytes, bytes]]) -> Overrides:
    """Read the overrides of a request from its raw query and its fields (names in lower case).

    Raises OverrideError for the first value that cannot be.
    """
    # parameter -> (what the client calls it, value)
    given: dict[str, tuple[str, str]] = {}
    if query:
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name in _FIELD_NAMES:
                given.setdefault(name, (name, value))
    for field_name, field_value in fields:
        parameter = _PARAMETERS_BY_FIELD.get(field_name)
        if parameter:
            given.setdefault(parameter, (_FIELD_NAMES[parameter], field_value.decode("latin-1")))
    if not given:
        return _NO_OVERRIDES
    return Overrides(
        latency=_read(given.get("mock_latency"), _parse_latency),
        status=_read(given.get("mock_status"), _parse_status),
        size_bytes=_read(given.get("mock_size"), _parse_size_bytes),
    )


def _read(given: tuple[str, str] | None, parse: Callable[[str], T]) -> T | None:
    if given is None:
        return None
    name, value = given
    try:
        return parse(value)
    except ValueError as error:
        raise OverrideError(name, value, str(error)) from error


def _parse_latency(text: str) -> Latency:
    try:
        return parse_latency(text)
    except LatencyError as error:
        raise ValueError(error.mend) from error


def _parse_status(text: str) -> int:
    # 1xx are interim: they cannot be the answer (RFC 9110, section 15.2).
    return _parse_whole_number(text, MIN_STATUS, MAX_STATUS, "a final status code")


def _parse_size_bytes(text: str) -> int:
    return _parse_whole_number(text, 0, MAX_SIZE_BYTES, "a number of bytes")


def _parse_whole_number(text: str, lowest: int, highest: int, what: str) -> int:
    # Digits only, as int() also takes signs, spaces and underscores; nine are plenty for both ranges.
    plain = text.isascii() and text.isdigit() and len(text) <= 9
    if not plain or not lowest <= int(text) <= highest:
        raise ValueError(f"write {what} from {lowest} to {highest}, in plain digits")
    return int(text)
