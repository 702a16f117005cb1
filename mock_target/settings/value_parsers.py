"""How the value of a knob is read from text. Pure.

Every function here gives the value, or raises ValueError whose message is the mend: what to write instead.
"""

import re
from collections.abc import Callable

# An hour: longer than any timeout worth testing, short enough that a slip does not hold a test run for ever.
MAX_SECONDS = 3600.0

# Stricter than float(), which also takes "nan", "inf", "1_0" and digits of other scripts.
_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_YES_NO = {"true": True, "1": True, "false": False, "0": False}
# Visible ASCII and what may stand between: nothing that could end a line of a head (RFC 9110, section 5.5).
_FIELD_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_FIELD_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|)[ \t]*")
# The mock frames its answers itself; a second length would be a fault that nobody asked for.
_FRAMING_FIELDS = frozenset({"content-length", "transfer-encoding"})
_MAX_LINE_CHARACTERS = 2000


def parse_number(text: str) -> float:
    """Read a plain decimal number that is not negative."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a plain decimal number")
    return float(text)


def parse_share(text: str) -> float:
    """Read a share from 0 to 1."""
    if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= 1:
        raise ValueError("write a share from 0 to 1, like 0.05")
    return float(text)


def parse_seconds(text: str) -> float:
    """Read a number of seconds from 0 to 3600."""
    if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= MAX_SECONDS:
        raise ValueError(f"write seconds from 0 to {MAX_SECONDS:g}, like 1.5")
    return float(text)


def whole_number(lowest: int, highest: int, what: str) -> Callable[[str], int]:
    """Make a reader of whole numbers from `lowest` to `highest`, which says `what` they are."""

    def parse(text: str) -> int:
        # Digits only, as int() also takes signs, spaces and underscores; ten are plenty for every range here.
        plain = text.isascii() and text.isdigit() and len(text) <= 10
        if not plain or not lowest <= int(text) <= highest:
            raise ValueError(f"write {what} from {lowest} to {highest}, in plain digits")
        return int(text)

    return parse


def parse_yes_no(text: str) -> bool:
    """Read true or false; 1 and 0 mean the same."""
    if text not in _YES_NO:
        raise ValueError("write true or false")
    return _YES_NO[text]


def text_up_to(most_characters: int) -> Callable[[str], str]:
    """Make a reader of any text of at most so many characters."""

    def parse(text: str) -> str:
        if len(text) > most_characters:
            raise ValueError(f"write at most {most_characters} characters; these are {len(text)}")
        return text

    return parse


def parse_field_value(text: str) -> str:
    """Read what can stand as the value of a response field: 1 to 2000 characters of visible ASCII."""
    if len(text) > _MAX_LINE_CHARACTERS or not _FIELD_VALUE.fullmatch(text):
        raise ValueError(f"write 1 to {_MAX_LINE_CHARACTERS} characters of visible ASCII, others percent-encoded")
    return text


def parse_field_lines(text: str) -> tuple[tuple[str, str], ...]:
    """Read response fields, `Name: value` on a line each; at most 100 lines of 2000 characters, none about framing."""
    lines = text.splitlines()
    if not 1 <= len(lines) <= 100:
        raise ValueError("write 1 to 100 lines like 'Cache-Control: no-store'")
    return tuple(_parse_field_line(line) for line in lines)


def _parse_field_line(line: str) -> tuple[str, str]:
    found = _FIELD_LINE.fullmatch(line) if len(line) <= _MAX_LINE_CHARACTERS else None
    if found is None:
        raise ValueError("write a line like 'Cache-Control: no-store' for each field, in visible ASCII")
    if found[1].lower() in _FRAMING_FIELDS:
        raise ValueError(f"leave {found[1]} out: the mock frames its answers itself")
    return found[1], found[2]
