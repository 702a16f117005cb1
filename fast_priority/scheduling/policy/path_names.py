"""A path that a rule names, compared with all readings of the path of a request. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fast_priority.scheduling.path_forms import PathCase, all_readings_of, comparable, decodings_of, rooted
from fast_priority.scheduling.path_readings import encodings_of
from fast_priority.scheduling.policy.facts import RuleFacts
from fast_priority.scheduling.policy.truth import Truth, same_for_all

Named = Callable[[str], bool]
"""Returns whether a path is the one that is named, or begins so."""


@dataclass(frozen=True, slots=True)
class PathStyle:
    """How paths are compared: as FAST_PRIORITY_NORMALIZE_PATHS and FAST_PRIORITY_PATH_CASE say."""

    ignore_outer_slashes: bool = True
    case: PathCase = PathCase.EXACT


def path_condition(written: str, style: PathStyle, *, is_prefix: bool) -> Callable[[RuleFacts], Truth]:
    """Return a function that returns whether a request's path is the written one, or begins with it.

    It is unknown if one reading of the path does, and another does not, or if there are too many readings. A beginning
    with a slash at its end is a whole segment: `/v1/` is `/v1` and all below it.
    """
    sent, decoded_too, read = (
        _named(forms(rooted(written)), style, is_prefix=is_prefix and written.endswith("/"), is_open=is_prefix)
        for forms in (encodings_of, decodings_of, all_readings_of)
    )

    def is_named(facts: RuleFacts) -> Truth:
        others = facts.other_readings
        if others is None:
            return None
        path = comparable(facts.sent_path, style.ignore_outer_slashes, style.case)
        if not others:
            return same_for_all((sent(path), decoded_too(path)))
        compared = (comparable(other, style.ignore_outer_slashes, style.case) for other in others)
        return same_for_all([sent(path), *map(read, compared)])

    return is_named


def _named(forms: Iterable[str], style: PathStyle, *, is_prefix: bool, is_open: bool) -> Named:
    names = frozenset(comparable(form, style.ignore_outer_slashes, style.case) for form in forms)
    if not is_open:
        return names.__contains__
    if is_prefix:  # whole segments
        whole = frozenset(name.rstrip("/") for name in names)
        beginnings = tuple(f"{name}/" if name else "" for name in sorted(whole))
        return lambda path: path in whole or path.startswith(beginnings)
    return lambda path: path.startswith(tuple(names))
