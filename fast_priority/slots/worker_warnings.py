"""What a worker warns of: once in its log, and in its record, from which the health of the gateways has it."""

import logging

from fast_priority.broker.other_versions import encode_warnings
from fast_priority.support.notices import Notices

logger = logging.getLogger("rq.worker")  # the log of the whole worker

_MOST_IN_RECORD = 10
_MOST_URL_CHARACTERS = 200


class WorkerWarnings:
    """The warnings of one worker."""

    def __init__(self, worker_name: str) -> None:
        self._notices = Notices(logger, f"Worker {worker_name}: ")

    def note_job_of_1x(self, queue_name: str) -> None:
        """Note that a job of fast-priority 1.x was on a queue, and was refused."""
        text = (
            f"a job of fast-priority 1.x is on queue {queue_name}: it was moved to rq's failed registry, so its client "
            "gets 500 from the gateway of 1.x; give 1.x a Redis, or a database in it, of its own"
        )
        self._notices.note(f"job of 1.x on {queue_name}", text)

    def note_other_target(self, own: str, other: str) -> None:
        """Note that a job named another target than the worker's own, to which it is sent."""
        self._notices.note(f"target {other[:_MOST_URL_CHARACTERS]}", text_on_targets(own, other))

    def as_field(self) -> bytes:
        """Return what goes on, for the field `warnings` of the worker's record."""
        return encode_warnings(self._notices.recent()[:_MOST_IN_RECORD])


def text_on_targets(own: str, other: str) -> str:
    """Return the warning that requests for one target are sent to another one."""
    shown = ascii(other[:_MOST_URL_CHARACTERS])[1:-1]
    return (
        f"requests for {shown} are sent to {own}, which is FAST_PRIORITY_TARGET_BASE_URL of the worker; without it, "
        "each request is sent to the target of its gateway"
    )
