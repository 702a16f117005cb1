"""Parsers of knob values. Pure.

Every parser returns the value, or raises ValueError whose message says what to write instead.
"""

import re
from collections.abc import Callable

# An hour: longer than any timeout worth testing, and a mistake does not block a test run forever.
MAX_SECONDS = 3600.0
MIN_RATE, MAX_RATE = 0.001, 1_000_000.0

# Stricter than float(), which also takes "nan", "inf", "1_0" and digits of other scripts.
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
# Visible ASCII, with spaces and tabs inside: nothing that could end a header line (RFC 9110, section 5.5).
_FIELD_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_FIELD_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|)[ \t]*")
# The mock frames its responses itself; a second length would be an unintended fault.
_FRAMING_FIELDS = frozenset({"content-length", "transfer-encoding"})
_MAX_LINE_CHARACTERS = 2000


def parse_number(text: str) -> float:
    """Parse a plain decimal number that is not negative."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a plain decimal number")
    return float(text)


def parse_share(text: str) -> float:
    """Parse a share from 0 to 1."""
    if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= 1:
        raise ValueError("write a share from 0 to 1, like 0.05")
    return float(text)


def parse_seconds(text: str) -> float:
    """Parse a number of seconds from 0 to 3600."""
    if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= MAX_SECONDS:
        raise ValueError(f"write seconds from 0 to {MAX_SECONDS:g}, like 1.5")
    return float(text)


def parse_rate(text: str) -> float:
    """Parse a number a second, from 0.001 to a million."""
    if not _NUMBER.fullmatch(text) or not MIN_RATE <= float(text) <= MAX_RATE:
        raise ValueError(f"write a number a second from {MIN_RATE:g} to {MAX_RATE:g}, like 25")
    return float(text)


def whole_number_parser(lowest: int, highest: int, what: str) -> Callable[[str], int]:
    """Return a parser of whole numbers from `lowest` to `highest`; its error says `what` they are."""

    def parse(text: str) -> int:
        # Digits only: int() also accepts signs, spaces and underscores. Ten are enough for every range here.
        plain = text.isascii() and text.isdigit() and len(text) <= 10
        if not plain or not lowest <= int(text) <= highest:
            raise ValueError(f"write {what} from {lowest} to {highest}, in plain digits")
        return int(text)

    return parse


def parse_boolean(text: str) -> bool:
    """Parse true or false; 1 and 0 mean the same."""
    if text not in _BOOLEANS:
        raise ValueError("write true or false")
    return _BOOLEANS[text]


def text_parser(max_characters: int) -> Callable[[str], str]:
    """Return a parser of any text of at most `max_characters` characters."""

    def parse(text: str) -> str:
        if len(text) > max_characters:
            raise ValueError(f"write at most {max_characters} characters; these are {len(text)}")
        return text

    return parse


def parse_field_value(text: str) -> str:
    """Parse the value of a response field: 1 to 2000 characters of visible ASCII."""
    if len(text) > _MAX_LINE_CHARACTERS or not _FIELD_VALUE.fullmatch(text):
        raise ValueError(f"write 1 to {_MAX_LINE_CHARACTERS} characters of visible ASCII, others percent-encoded")
    return text


def parse_field_lines(text: str) -> tuple[tuple[str, str], ...]:
    """Parse response fields, one `Name: value` a line; at most 100 lines of 2000 characters, no framing fields."""
    lines = text.splitlines()
    if not 1 <= len(lines) <= 100:
        raise ValueError("write 1 to 100 lines like 'Cache-Control: no-store'")
    return tuple(_parse_field_line(line) for line in lines)


def _parse_field_line(line: str) -> tuple[str, str]:
    found = _FIELD_LINE.fullmatch(line) if len(line) <= _MAX_LINE_CHARACTERS else None
    if found is None:
        raise ValueError("write a line like 'Cache-Control: no-store' for each field, in visible ASCII")
    if found[1].lower() in _FRAMING_FIELDS:
        raise ValueError(f"leave {found[1]} out: the mock frames its responses itself")
    return found[1], found[2]
