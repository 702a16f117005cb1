"""The memory for bodies that are read before their requests are queued, since a rule looks at them.

Bodies of up to 64 KiB are not counted: they are held whole in any case.
"""

from fast_priority.http.limits import MOST_BODIES_FOR_RULES_BYTES


class HeldBodies:
    """How many bytes of bodies one process holds for its rules."""

    def __init__(self, most_bytes: int = MOST_BODIES_FOR_RULES_BYTES) -> None:
        self._free_bytes = most_bytes

    def take(self, size_bytes: int) -> bool:
        """Return whether there is room for so many bytes; then they are taken, until `give_back`."""
        if size_bytes > self._free_bytes:
            return False
        self._free_bytes -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Free so many bytes that were taken."""
        self._free_bytes += size_bytes
