"""The wire version: what gateways and workers of different releases understand of each other.

Each job has the wire version of its gateway, and so has each frame about that job, in both directions: a worker answers
in the version of the job. The records of gateways and workers have the version of their release. What has no version
is of version 1.

A release reads all versions up to its own. It leaves a job of a newer version on its queue for a newer worker, and ends
a request for which it gets a newer frame. So update workers first, and gateways after them.

Raise the number when an older release would misunderstand a job, a frame or a record. A new field at the end of a
message, which an older release does not read, needs no new number.
"""

from typing import Final

WIRE_VERSION: Final = 1
"""The version that this release writes, and the newest one that it reads; at most 127, which is one byte in a frame."""

_MOST_DIGITS = 4


def version_in(written: bytes | None) -> int:
    """Return the wire version in a field in Redis: 1 if it is missing, or is not a number from 1 to 9999."""
    is_number = written is not None and written.isdigit() and len(written) <= _MOST_DIGITS
    return max(int(written), 1) if written is not None and is_number else 1
