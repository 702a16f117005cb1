"""The forms in which paths are compared: of a path as it was sent, and of one that a setting or a rule names. Pure."""

from enum import StrEnum

from fast_priority.scheduling.path_readings import decoded, encodings_of, readings_of


class PathCase(StrEnum):
    """Whether `/Reports` and `/reports` are two paths (`exact`) or one (`ignore`)."""

    EXACT = "exact"
    IGNORE = "ignore"


def comparable(path: str, ignore_outer_slashes: bool, case: PathCase) -> str:
    """Return the path in a form in which paths that count as equal are equal text."""
    path = path.strip("/") if ignore_outer_slashes else path.removeprefix("/")
    return path.casefold() if case is PathCase.IGNORE else path


def rooted(written: str) -> str:
    """Return a named path with a slash first, as in a request: without it, a first segment of dots would not count."""
    return written if written.startswith("/") else "/" + written


def decodings_of(written: str) -> set[str]:
    """Return the forms in which a named path may be sent, and what each is when it is percent-decoded once."""
    return {form for sent in encodings_of(written) for form in (sent, decoded(sent))}


def all_readings_of(written: str) -> set[str]:
    """Return all readings of a named path; for a path with too many of them, the path itself."""
    return {reading for sent in encodings_of(written) for reading in readings_of(sent) or {sent}}
