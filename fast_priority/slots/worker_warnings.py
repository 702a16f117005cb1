"""What a worker warns of: once in its log, and in its record, from which the health of the gateways has it."""

import logging

from fast_priority.broker.other_versions import encode_warnings
from fast_priority.support.notices import Notices

logger = logging.getLogger("rq.worker")  # the log of the whole worker

_MOST_URL_CHARACTERS = 200
_MOST_REASON_CHARACTERS = 300


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
        self._notices.note(f"target {_shown(other)}", text_on_targets(own, other))

    def note_unreachable_target(self, base_url: str, reason: str) -> None:
        """Note that this worker cannot connect to a target: its network, its names or its TLS files may be wrong."""
        shown = _shown(base_url)
        self._notices.note(
            f"unreachable {shown}", f"it could not connect to {shown}: {reason[:_MOST_REASON_CHARACTERS]}"
        )

    def as_field(self) -> bytes:
        """Return what goes on, for the field `warnings` of the worker's record."""
        return encode_warnings(self._notices.recent())


def text_on_targets(own: str, other: str) -> str:
    """Return the warning that requests for one target are sent to another one."""
    return (
        f"requests for {_shown(other)} are sent to {_shown(own)}, which is FAST_PRIORITY_TARGET_BASE_URL of the "
        "worker; without it, each request is sent to the target of its gateway"
    )


def _shown(url: str) -> str:
    return ascii(url)[1:-1][:_MOST_URL_CHARACTERS]
