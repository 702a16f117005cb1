"""The submissions of a gateway with slots that wait for a turn."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from fast_priority.broker.producer.submission import SUBMIT_SECONDS, Submission
from fast_priority.support.timeout_queue import TimeoutQueue

_MOST_AT_ONCE = 64
_MOST_BYTES_AT_ONCE = 1024 * 1024  # so that small requests do not wait until many large ones were sent


class Sent(NamedTuple):
    """A submission that goes with a turn."""

    submission: Submission
    has_data: bool
    """Whether it goes with its data. Without, it cannot be queued."""


class UnsentSubmissions:
    """Submissions in the order in which they came. The time of each runs until `end`, also while a turn has it.

    `on_due` is called with each whose time is over, and with whether it still waits here.
    """

    def __init__(self, on_due: Callable[[Submission, bool], None]) -> None:
        self._waiting: OrderedDict[Submission, None] = OrderedDict()
        self._needs_data: set[Submission] = set()
        self._on_due = on_due
        self._due: TimeoutQueue[Submission] = TimeoutQueue(SUBMIT_SECONDS, self._expire)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, submission: Submission) -> None:
        """Add a submission behind all others."""
        self._waiting[submission] = None
        self._due.begin(submission)

    def put_back(self, submission: Submission, *, needs_data: bool = False) -> None:
        """Put a submission that a turn had in front of all others. `needs_data`: it has to go with its data now."""
        self._waiting[submission] = None
        self._waiting.move_to_end(submission, last=False)
        if needs_data:
            self._needs_data.add(submission)

    def take_back(self, submission: Submission) -> bool:
        """Remove a submission that no turn has. Return whether it was here."""
        if submission not in self._waiting:
            return False
        del self._waiting[submission]
        self._needs_data.discard(submission)
        self._due.end(submission)
        return True

    def take_all(self) -> list[Submission]:
        """Remove and return all."""
        taken = list(self._waiting)
        for submission in taken:
            self.take_back(submission)
        return taken

    def end(self, submission: Submission) -> None:
        """Let the time of a submission run no more: it has its outcome."""
        self._due.end(submission)

    def close(self) -> None:
        """Let no time run any more."""
        self._due.close()

    def take_next(self, starts: int) -> list[Sent]:
        """Take submissions for one turn, the oldest first. The first `starts` most likely start at once.

        These go without their data. Submissions that are late are taken as well: their turn has to end them.
        """
        taken: list[Submission] = []
        with_data: set[Submission] = set()
        weight_bytes = 0
        while self._waiting and len(taken) < _MOST_AT_ONCE and weight_bytes < _MOST_BYTES_AT_ONCE:
            submission, _ = self._waiting.popitem(last=False)
            if submission in self._needs_data or len(taken) >= starts:
                self._needs_data.discard(submission)
                with_data.add(submission)
                weight_bytes += len(submission.data)
            taken.append(submission)
        return [Sent(submission, submission in with_data) for submission in taken]

    def _expire(self, submission: Submission) -> None:
        is_here = submission in self._waiting
        if is_here:
            del self._waiting[submission]
            self._needs_data.discard(submission)
        self._on_due(submission, is_here)
