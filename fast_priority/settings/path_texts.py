"""What a path in a setting cannot be, and what is probably not meant as it is written. Pure.

Both would otherwise match no request, and show no sign of it.
"""

import re
from collections.abc import Iterable

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029\ufeff]")
_QUOTES = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
_BRACKETS = {"[": "]", "{": "}"}
_PATTERN = re.compile(r"[*^$<>{}|\\]|(?:^|/):\w")
_NO_COMMA = re.compile(r";\s*/|\s")


def check_paths(text: str, paths: Iterable[str]) -> None:
    """Raise ValueError, which names the remedy, for a list of paths that no request can match.

    `text` is the list as it was written, `paths` are its parts.
    """
    if len(text) > 1 and text[-1] == _BRACKETS.get(text[0]):
        raise ValueError("a list has commas between its paths, and no brackets and no quotes around them")
    for path in paths:
        check_path(path)


def check_path(path: str) -> None:
    """Raise ValueError, which names the remedy, for what is not the path of any request."""
    if _UNPRINTABLE.search(path):
        raise ValueError("a path has no line end and no control character; commas separate the paths of a list")
    if path[:1] in tuple(_QUOTES) or path[-1:] in tuple(_QUOTES) or '"' in path:
        raise ValueError("quotes would be part of the path: write it without them, or %22 for a quote in a path")
    if found := _URL.match(path):
        rest = re.split("[?#]", path[found.end() :])[0] or "/"
        raise ValueError(f"this is a URL: write its path only, {rest}")
    if found := re.search("[?#]", path):
        escape = "%3F" if found[0] == "?" else "%23"
        raise ValueError(f"a path ends before {found[0]}: leave out the rest, or write {escape} for a {found[0]} in it")


def doubts_about(path: str, *, is_beginning: bool) -> str | None:
    """Return what a user should know about a path that looks like a pattern or like two paths, else None."""
    if _PATTERN.search(path):
        matched = f"every path that begins with {path}" if is_beginning else f"only the path {path}"
        return f"is not a pattern: it is compared letter by letter, and matches {matched}"
    if _NO_COMMA.search(path):
        return "is one path: write commas between the paths of a list, if these are several"
    return None
