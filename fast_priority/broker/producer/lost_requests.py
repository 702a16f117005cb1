"""Which waiting requests are looked at next, and what is seen of them: however many wait, few are looked at."""

from collections.abc import Collection, Sequence

from fast_priority.errors import GatewayError, RequestCancelled, RequestLost

_A_TURN = 500
_MOST_LOOKS = 10
_MOST_ENDING = 1000
"""So many ending leases `watch.lua` tells of, of each queue."""

_LOST = frozenset({b"", b"failed"})
"""What a job's status says when no answer will come: it is gone, or a stock worker has died with it."""
_CANCELLED = frozenset({b"canceled", b"stopped"})
"""The same, when somebody has put it aside with one of rq's tools."""


class LostRequestDetector:
    """Looks after requests whose jobs have to be there.

    A worker that dies with a request leaves a lease that ends, so those with such a lease are looked at every time.
    What else takes a job away (somebody's hand, a Redis that has forgotten) is rare: the rest is looked at in turns, up
    to 500 each time. Once one is lost, when so many leases end that not all are told of, or when everybody may be lost
    (`everyone`), all are.
    """

    def __init__(self) -> None:
        self._looked_after: dict[str, None] = {}  # the oldest first
        self._suspected: dict[
            str, int
        ] = {}  # in how many looks in a row the job was not there; 0 if its lease ends soon
        self._turns_to_come: list[str] = []
        self._looks_at_all = False

    def __len__(self) -> int:
        return len(self._looked_after)

    @property
    def is_in_a_hurry(self) -> bool:
        """Whether the next look may well find a request lost."""
        return self._looks_at_all or any(looks == 1 for looks in self._suspected.values())

    def add(self, request_id: str) -> None:
        """From now on the job of this request has to be there."""
        self._looked_after[request_id] = None

    def drop(self, request_id: str) -> None:
        """It need not be there any more."""
        self._looked_after.pop(request_id, None)
        self._suspected.pop(request_id, None)

    def choose(self, *, everyone: bool) -> list[str]:
        """Give the ids to look at now, the oldest first."""
        if everyone or self._looks_at_all:
            return list(self._looked_after)
        still_to_come = [each for each in self._turns_to_come if each in self._looked_after] or list(self._looked_after)
        turn, self._turns_to_come = still_to_come[:_A_TURN], still_to_come[_A_TURN:]
        chosen = {*self._suspected, *turn}
        return [each for each in self._looked_after if each in chosen]

    def note(
        self, seen: Sequence[tuple[str, bytes]], ending: Collection[str], unread: int
    ) -> list[tuple[str, GatewayError]]:
        """Take in one look, and give what is lost, with the reason: the youngest first.

        `seen` has the status of each job that was looked at, `ending` the ids, anybody's, whose lease ends soon;
        `unread` frames were left to read, one of which may be the answer.
        """
        lost = [(each, error) for each, status in reversed(seen) if (error := self._note_one(each, status, unread))]
        for request_id in ending:
            if request_id in self._looked_after:
                self._suspected.setdefault(request_id, 0)
        self._looks_at_all = bool(lost) or len(ending) >= _MOST_ENDING
        return lost

    def _note_one(self, request_id: str, status: bytes, unread: int) -> GatewayError | None:
        if request_id not in self._looked_after:
            return None
        if status in _CANCELLED:
            return RequestCancelled("its job was cancelled")
        if status not in _LOST:
            self._suspected.pop(request_id, None)
            return None
        # Its answer may be on the way: what says the end of a request removes its job in the same step. There may
        # always be something to read for others, so that does not excuse it for ever.
        self._suspected[request_id] = looks = self._suspected.get(request_id, 0) + 1
        is_lost = looks >= _MOST_LOOKS or (looks > 1 and unread == 0)
        return RequestLost("its job vanished without an answer") if is_lost else None
