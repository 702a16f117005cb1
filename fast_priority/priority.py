"""Which queue a request goes on. Pure: a path in, an answer out, the same answer for the same path always."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

TARGET_DOCUMENTATION_PATHS = ("/docs", "/redoc", "/openapi.json")
"""Always passed through: the target's own documentation pages and the document they load."""


class Priority(StrEnum):
    """The two levels; the value is the name of the rq queue."""

    HIGH = "high"
    LOW = "low"


class Listing(StrEnum):
    """What the named paths are: the high ones, or the low ones."""

    LISTED = "listed"
    UNLISTED = "unlisted"


@dataclass(frozen=True, slots=True)
class Rules:
    """Turns a request's path into a Priority, or into None: pass it on without the queue.

    `paths` match exactly, `base_paths` match every path that starts with them, `pass_through` matches exactly and wins.
    Paths are compared as sent: percent-encoding is neither decoded nor normalised. With `ignore_outer_slashes`, slashes
    at either end of a path, on both sides of the comparison, mean nothing; without it only the first slash, which every
    path has, does.
    """

    listing: Listing = Listing.UNLISTED
    paths: frozenset[str] = frozenset()
    base_paths: tuple[str, ...] = ()
    pass_through: frozenset[str] = frozenset()
    ignore_outer_slashes: bool = True

    @classmethod
    def of(
        cls,
        listing: Listing = Listing.UNLISTED,
        paths: Iterable[str] = (),
        base_paths: Iterable[str] = (),
        pass_through: Iterable[str] = (),
        *,
        ignore_outer_slashes: bool = True,
    ) -> "Rules":
        """Make rules from paths written as people write them; the target's documentation paths are added."""

        def written(path: str) -> str:
            return _comparable(path, ignore_outer_slashes=ignore_outer_slashes)

        return cls(
            listing=listing,
            paths=frozenset(map(written, paths)),
            base_paths=tuple(sorted(set(map(written, base_paths)))),
            pass_through=frozenset(map(written, (*pass_through, *TARGET_DOCUMENTATION_PATHS))),
            ignore_outer_slashes=ignore_outer_slashes,
        )

    def priority_of(self, raw_path: str) -> Priority | None:
        """Give the queue for a path as it stood in the request line, without its query; None means pass it through."""
        path = _comparable(raw_path, ignore_outer_slashes=self.ignore_outer_slashes)
        if path in self.pass_through:
            return None
        named = path in self.paths or path.startswith(self.base_paths)
        return Priority.HIGH if named == (self.listing is Listing.LISTED) else Priority.LOW


def _comparable(path: str, *, ignore_outer_slashes: bool) -> str:
    return path.strip("/") if ignore_outer_slashes else path.removeprefix("/")
