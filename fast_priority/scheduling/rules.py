"""From a request to the queue that it waits in, as the settings name the paths. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from fast_priority.scheduling.path_forms import PathCase, all_readings_of, comparable, decodings_of, rooted
from fast_priority.scheduling.path_readings import as_sent, behind_authority, encodings_of, is_plain, readings_of
from fast_priority.scheduling.priority import Priority

TARGET_DOCUMENTATION_PATHS = ("/docs", "/redoc", "/openapi.json")
"""The target's own documentation pages, and the document that they load: GET and HEAD skip the queue."""
_DOCUMENTATION_METHODS = frozenset({"GET", "HEAD"})


class RequestFacts(msgspec.Struct, frozen=True, gc=False):
    """What the rules look at in a request."""

    raw_path: str
    """The path as it stood in the request line, without the query, its bytes read as Latin-1."""
    method: str
    is_handshake: bool = False
    """Whether it asks for a WebSocket."""


class Listing(StrEnum):
    """Whether the named paths are high (`listed`) or low (`unlisted`)."""

    LISTED = "listed"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True)
class _Names:
    """The paths of the settings, in the form in which paths are compared."""

    paths: frozenset[str] = frozenset()
    base_paths: tuple[str, ...] = ()
    pass_through: frozenset[str] = frozenset()
    documentation: frozenset[str] = frozenset(path.strip("/") for path in TARGET_DOCUMENTATION_PATHS)

    def passes(self, path: str, request: RequestFacts) -> bool:
        """Return whether this request skips the queue if `path` is one reading of its path.

        No documentation page is read by a WebSocket: only `pass_through` lets a handshake skip the queue.
        """
        return path in self.pass_through or (
            path in self.documentation and request.method in _DOCUMENTATION_METHODS and not request.is_handshake
        )


_NO_NAMES = _Names()


@dataclass(frozen=True, slots=True)
class Rules:
    """Turns a request into a Priority, or into None: the request skips the queue.

    A path is compared as it was sent, and in every other reading that a target may have of it (`path_readings`).
    The request has the lowest level of all readings. It skips the queue only if all readings do.
    """

    listing: Listing = Listing.UNLISTED
    ignore_outer_slashes: bool = True
    case: PathCase = PathCase.EXACT
    _sent: _Names = _NO_NAMES
    """The names to compare a path with as it was sent."""
    _decoded: _Names = _NO_NAMES
    """The same names percent-decoded: to compare a path with that has no other readings."""
    _read: _Names = _NO_NAMES
    """All readings of the names: to compare the other readings of a path with."""

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
        """Return rules for named paths, which may be percent-encoded or not.

        `paths` match exactly. `base_paths` match every path that begins with one of them. `pass_through` matches
        exactly, and wins over the others. With `ignore_outer_slashes`, slashes at the beginning and the end of a path
        and of a name are ignored, except that a base path with a slash at its end is a segment: `a/` matches `a` and
        `a/b`, not `ab`. Without it, only the first slash is ignored, which every path has.
        """
        bases = tuple(base_paths)
        segments = tuple(base for base in bases if ignore_outer_slashes and base.endswith("/") and base.strip("/"))
        bases = tuple(base for base in bases if base not in segments)
        lists = tuple(paths), bases, segments, tuple(pass_through), TARGET_DOCUMENTATION_PATHS

        def names(forms: Callable[[str], Iterable[str]]) -> _Names:
            exact, beginnings, whole, passed, documentation = (
                frozenset(
                    comparable(form, ignore_outer_slashes, case) for written in each for form in forms(rooted(written))
                )
                for each in lists
            )
            # A segment is an exact path, and the beginning of those below it. One that is read as `/` has all below it.
            beginnings |= {f"{segment}/" if segment else "" for segment in whole}
            return _Names(exact | whole, tuple(sorted(beginnings)), passed, documentation)

        sent, decoded_too = names(encodings_of), names(decodings_of)
        # The same object where no name is encoded, as is usual: this saves one comparison for each request.
        decoded_too = sent if decoded_too == sent else decoded_too
        return cls(listing, ignore_outer_slashes, case, sent, decoded_too, names(all_readings_of))

    def priority_of(self, request: RequestFacts) -> Priority | None:
        """Return the queue for a request; None if it skips the queue.

        Documentation of the target skips the queue for GET and HEAD, a path of `pass_through` for every method.
        """
        raw_path = request.raw_path
        if is_plain(raw_path):
            compared = self._comparable(raw_path)
            if self._decoded is self._sent:
                return None if self._sent.passes(compared, request) else self._level_of(compared, self._sent)
            return self._queue_of([(compared, self._sent), (compared, self._decoded)], request)
        sent = as_sent(raw_path)
        readings = readings_of(sent)
        if readings is None:
            return Priority.LOW
        level = self._queue_of([(sent, self._sent), *((reading, self._read) for reading in readings)], request)
        behind = behind_authority(sent) if self.listing is Listing.UNLISTED else None
        # Slashes at the beginning are ignored, so the path behind `//host` counts only if its own name lowers it.
        if behind is None or (level_behind := self._lowest_level_of(behind)) is Priority.HIGH:
            return level
        return level_behind if level is None else _lower_of((level, level_behind))

    def _lowest_level_of(self, sent: str) -> Priority:
        readings = readings_of(sent)
        if readings is None:
            return Priority.LOW
        return _lower_of(self._level_of(self._comparable(reading), self._read) for reading in readings)

    def _queue_of(self, readings: list[tuple[str, _Names]], request: RequestFacts) -> Priority | None:
        """Return the queue for a path with these readings, each with the names to compare it with."""
        compared = [(self._comparable(path), names) for path, names in readings]
        if all(names.passes(path, request) for path, names in compared):
            return None
        return _lower_of(self._level_of(path, names) for path, names in compared)

    def _level_of(self, path: str, names: _Names) -> Priority:
        """Return the level of named paths, or of the others: the settings know two levels."""
        is_named = path in names.paths or path.startswith(names.base_paths)
        return Priority.HIGH if is_named == (self.listing is Listing.LISTED) else Priority.LOW

    def _comparable(self, path: str) -> str:
        return comparable(path, self.ignore_outer_slashes, self.case)


def _lower_of(levels: Iterable[Priority]) -> Priority:
    """Return low if it is among these, which are high and low."""
    return Priority.LOW if Priority.LOW in levels else Priority.HIGH
