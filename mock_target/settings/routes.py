"""Routes: rules that set another behaviour for some paths. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum

from mock_target.settings.behaviour import NOTHING_SET, Behaviour

_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}")


class Match(StrEnum):
    """How a route's path is compared with a request's path."""

    EXACT = "exact"
    PREFIX = "prefix"


def parse_match(text: str) -> Match:
    """Parse a match. Raises ValueError with what to write."""
    try:
        return Match(text)
    except ValueError:
        raise ValueError(f"write one of {', '.join(Match)}") from None


def parse_path(text: str) -> str:
    """Parse a route's path, raw as on the wire: a slash first, no query. Raises ValueError with what to write."""
    if not text.startswith("/") or not text.isascii() or not text.isprintable() or "?" in text or len(text) > 2000:
        raise ValueError("write a path like /orders, as it is on the wire: percent-encoded, without a query")
    return text


def parse_method(text: str) -> str:
    """Parse a route's method, which is case-sensitive (RFC 9110, 9.1). Raises ValueError with what to write."""
    if not _METHOD.fullmatch(text):
        raise ValueError("write a method like GET")
    return text


@dataclass(frozen=True, slots=True)
class Route:
    """The behaviour for requests whose raw path is `path` or, with `Match.PREFIX`, lies below it.

    `method` limits it to one method; None: any.
    """

    path: str
    match: Match = Match.EXACT
    method: str | None = None
    behaviour: Behaviour = NOTHING_SET

    def applies_to(self, method: str, raw_path: str) -> bool:
        """Return whether this route applies to a request."""
        if self.method is not None and self.method != method:
            return False
        if raw_path == self.path:
            return True
        folder = self.path if self.path.endswith("/") else self.path + "/"
        return self.match is Match.PREFIX and raw_path.startswith(folder)
