"""Patterns of rules: RE2, whose time is linear in the text whatever the pattern. Pure.

This module alone imports `re2`.
"""

from collections.abc import Callable

import re2

_MOST_CHARACTERS = 1000
_MOST_MEMORY_BYTES = 1024 * 1024  # of one pattern: RE2 itself would take 8 MiB


def check_pattern(pattern: str) -> str:
    """Return the pattern. Raises ValueError if it is not one of RE2, or is too large."""
    whole_match(pattern)
    return pattern


def whole_match(pattern: str) -> Callable[[str], bool]:
    """Return a function that returns whether a pattern matches all of a text, which has no surrogates.

    Raises ValueError as `check_pattern` does.
    """
    if len(pattern) > _MOST_CHARACTERS:
        raise ValueError(f"a pattern has at most {_MOST_CHARACTERS} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY_BYTES
    options.never_capture = True
    options.dot_nl = True  # or a line end in a value would keep `llama.*` from it
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        why = error.args[0]
        why = why.decode("utf-8", "replace") if isinstance(why, bytes) else why
        raise ValueError(f"{pattern!r} is not a pattern of RE2 ({why})") from None
    return lambda text: compiled.fullmatch(text) is not None
