"""Which queue a request goes on. Pure: a path in, an answer out, the same answer for the same path always."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from fast_priority.scheduling.path_readings import (
    as_sent,
    behind_authority,
    decoded,
    encodings_of,
    is_plain,
    readings_of,
)
from fast_priority.scheduling.priority import Priority

TARGET_DOCUMENTATION_PATHS = ("/docs", "/redoc", "/openapi.json")
"""Passed through for GET and HEAD: the target's own documentation pages and the document they load."""
HANDSHAKE = "(handshake)"
"""What stands for the method of a WebSocket handshake: it is a GET that skips the queue for fewer paths."""
_DOCUMENTATION_METHODS = frozenset({"GET", "HEAD"})


class Listing(StrEnum):
    """What the named paths are: the high ones, or the low ones."""

    LISTED = "listed"
    UNLISTED = "unlisted"


class PathCase(StrEnum):
    """Whether `/Reports` is another path than `/reports`."""

    EXACT = "exact"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class _Names:
    """The paths of the settings, in the form in which paths are compared."""

    paths: frozenset[str] = frozenset()
    base_paths: tuple[str, ...] = ()
    pass_through: frozenset[str] = frozenset()
    documentation: frozenset[str] = frozenset(path.strip("/") for path in TARGET_DOCUMENTATION_PATHS)

    def passes(self, path: str, method: str) -> bool:
        """Return whether a request of this method for this path skips the queue."""
        return path in self.pass_through or (path in self.documentation and method in _DOCUMENTATION_METHODS)


_NO_NAMES = _Names()


@dataclass(frozen=True, slots=True)
class Rules:
    """Turns a request's path and method into a Priority, or into None: pass it on without the queue.

    A path is compared as it was sent, and in every other reading that a target may have of it (`path_readings.py`).
    If any reading is low, the request is low; it is passed through only if every reading is.
    """

    listing: Listing = Listing.UNLISTED
    ignore_outer_slashes: bool = True
    case: PathCase = PathCase.EXACT
    _sent: _Names = _NO_NAMES
    """What a path as it was sent is compared with."""
    _decoded: _Names = _NO_NAMES
    """The same, percent-decoded: what a path is compared with besides, if it has no other readings itself."""
    _read: _Names = _NO_NAMES
    """All readings of the settings: what the other readings of a path are compared with."""

    @classmethod
    def of(
        cls,
        listing: Listing = Listing.UNLISTED,
        paths: Iterable[str] = (),
        base_paths: Iterable[str] = (),
        pass_through: Iterable[str] = (),
        *,
        ignore_outer_slashes: bool = True,
        case: PathCase = PathCase.EXACT,
    ) -> "Rules":
        """Return rules for paths written as people write them: with or without percent-encoding.

        `paths` match exactly, `base_paths` match every path that starts with them, `pass_through` matches exactly and
        wins. With `ignore_outer_slashes`, slashes at either end of a path, on both sides of the comparison, mean
        nothing; without it only the first slash, which every path has, does.
        """
        lists = tuple(paths), tuple(base_paths), (*pass_through,), TARGET_DOCUMENTATION_PATHS

        def names(forms: Callable[[str], Iterable[str]]) -> _Names:
            exact, bases, passed, documentation = (
                frozenset(
                    _comparable(form, ignore_outer_slashes, case)
                    for written in each
                    for form in forms(_rooted(written))
                )
                for each in lists
            )
            return _Names(exact, tuple(sorted(bases)), passed, documentation)

        sent, decoded_too = names(encodings_of), names(_decodings_of)
        # The same object where nothing is encoded, which is the rule: then there is one look-up less for each request.
        decoded_too = sent if decoded_too == sent else decoded_too
        return cls(listing, ignore_outer_slashes, case, sent, decoded_too, names(_all_readings_of))

    def priority_of(self, raw_path: str, method: str) -> Priority | None:
        """Return the queue for a path as it stood in the request line, without its query; None: pass it through.

        `raw_path` has the bytes of the path as Latin-1. The target's documentation is passed through for GET and HEAD
        only, a path of `pass_through` for every method.
        """
        if is_plain(raw_path):
            compared = self._comparable(raw_path)
            if self._decoded is self._sent:
                return None if self._sent.passes(compared, method) else self._level_of(compared, self._sent)
            return self._lowest([(compared, self._sent), (compared, self._decoded)], method)
        sent = as_sent(raw_path)
        readings = readings_of(sent)
        if readings is None:
            return Priority.LOW
        level = self._lowest([(sent, self._sent), *((reading, self._read) for reading in readings)], method)
        behind = behind_authority(sent) if self.listing is Listing.UNLISTED else None
        # Slashes in front mean nothing. So what is behind `//host` counts only where it is low by its name.
        return Priority.LOW if behind is not None and self._is_low(behind) else level

    def _is_low(self, sent: str) -> bool:
        readings = readings_of(sent)
        return readings is None or any(
            self._level_of(self._comparable(reading), self._read) is Priority.LOW for reading in readings
        )

    def _lowest(self, readings: list[tuple[str, _Names]], method: str) -> Priority | None:
        """Return the level of a path with these readings, each with the names that it is compared with."""
        compared = [(self._comparable(path), names) for path, names in readings]
        if all(names.passes(path, method) for path, names in compared):
            return None
        is_low = any(self._level_of(path, names) is Priority.LOW for path, names in compared)
        return Priority.LOW if is_low else Priority.HIGH

    def _level_of(self, path: str, names: _Names) -> Priority:
        is_named = path in names.paths or path.startswith(names.base_paths)
        return Priority.HIGH if is_named == (self.listing is Listing.LISTED) else Priority.LOW

    def _comparable(self, path: str) -> str:
        return _comparable(path, self.ignore_outer_slashes, self.case)


def _comparable(path: str, ignore_outer_slashes: bool, case: PathCase) -> str:
    path = path.strip("/") if ignore_outer_slashes else path.removeprefix("/")
    return path.casefold() if case is PathCase.IGNORE else path


def _rooted(written: str) -> str:
    # As a request has it; otherwise a first segment of dots would not be seen as one.
    return written if written.startswith("/") else "/" + written


def _decodings_of(written: str) -> set[str]:
    return {form for sent in encodings_of(written) for form in (sent, decoded(sent))}


def _all_readings_of(written: str) -> set[str]:
    """Return every reading of a path of the settings; of one with too many, the path itself."""
    return {reading for sent in encodings_of(written) for reading in readings_of(sent) or {sent}}
