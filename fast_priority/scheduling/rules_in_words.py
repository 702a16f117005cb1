"""The rules in words, for the line with which a gateway starts. Pure."""

from collections.abc import Iterable, Sequence

from fast_priority.scheduling.path_forms import PathCase
from fast_priority.scheduling.rules import TARGET_DOCUMENTATION_PATHS, Listing

_MOST_NAMED = 20


def rules_in_words(
    listing: Listing,
    paths: Iterable[str],
    base_paths: Iterable[str],
    pass_through: Iterable[str],
    *,
    ignore_outer_slashes: bool = True,
    case: PathCase = PathCase.EXACT,
) -> str:
    """Return which paths are high, low and without a queue. The arguments are those of `Rules.of`.

    Of each list, at most 20 paths are named.
    """
    named = [_rooted(path, ignore_outer_slashes) for path in paths]
    named += [_beginning(base, ignore_outer_slashes) for base in base_paths]
    level, others = ("high", "low") if listing is Listing.LISTED else ("low", "high")
    levels = f"{level}: {_counted(named)}; all else {others}" if named else f"all paths {others}"
    passed = [_rooted(path, ignore_outer_slashes) for path in pass_through]
    documentation = f"GET and HEAD of {', '.join(TARGET_DOCUMENTATION_PATHS)}"
    without = f"without a queue: {_counted([*passed, documentation])}"
    letters = "; small and capital letters are the same" if case is PathCase.IGNORE else ""
    return f"{levels}; {without}{letters}"


def _rooted(path: str, ignore_outer_slashes: bool) -> str:
    return "/" + (path.strip("/") if ignore_outer_slashes else path.removeprefix("/"))


def _beginning(base: str, ignore_outer_slashes: bool) -> str:
    """Return the paths that begin so: with a slash at the end, whole segments where outer slashes are ignored."""
    rooted = _rooted(base, ignore_outer_slashes)
    if rooted == "/":
        return "every path"
    if ignore_outer_slashes and base.endswith("/"):
        return f"{rooted} and below"
    return f"all that begins with {rooted}"


def _counted(named: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(named))
    more = len(distinct) - _MOST_NAMED
    return ", ".join(distinct[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
