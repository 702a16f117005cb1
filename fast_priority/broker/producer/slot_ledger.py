"""The slots of one gateway: which are taken, which are reserved, and which requests have ended. Pure.

Also the requests that had a slot of another process, until that one is told that it is free.
"""

from fast_priority.broker.jobs import Claim


class SlotLedger:
    """Counts the slots of one gateway. At most `slots` are taken or reserved at the same time.

    A turn reserves slots for what it may start. Its answer turns them into taken ones, or frees them.
    """

    def __init__(self, slots: int, gateway_id: str) -> None:
        self.slots = slots
        self._gateway_id = gateway_id
        self._taken: dict[str, Claim] = {}
        self._reserved = 0
        self._ended: list[Claim] = []
        self._returned: list[str] = []
        self._is_closed = False
        self.served = 0
        """How many requests have had a slot and have ended."""

    def __repr__(self) -> str:
        return f"<SlotLedger: {len(self._taken)} of {self.slots} taken, {self._reserved} reserved>"

    @property
    def free(self) -> int:
        """How many slots can be reserved: those that are neither taken nor reserved, and none once it is closed."""
        return 0 if self._is_closed else self.slots - len(self._taken) - self._reserved

    @property
    def taken(self) -> list[Claim]:
        """The requests that have a slot."""
        return list(self._taken.values())

    @property
    def lent(self) -> list[Claim]:
        """Those of them that other gateways have asked for."""
        return [claim for claim in self._taken.values() if claim.gateway_id != self._gateway_id]

    @property
    def has_ended(self) -> bool:
        """Whether requests have ended of which Redis does not know it."""
        return bool(self._ended or self._returned)

    def close(self) -> None:
        """Let no more slots be reserved."""
        self._is_closed = True

    def reserve(self, slots: int) -> None:
        """Reserve free slots."""
        self._reserved += slots

    def unreserve(self, slots: int) -> None:
        """Free reserved slots."""
        self._reserved -= slots

    def take(self, claim: Claim) -> None:
        """Take a slot for a request."""
        self._taken[claim.job_id] = claim

    def get(self, job_id: str) -> Claim | None:
        """Return the request with this id if it has a slot."""
        return self._taken.get(job_id)

    def release(self, job_id: str) -> Claim | None:
        """Free the slot of a request. Return the request if it had one."""
        claim = self._taken.pop(job_id, None)
        if claim is not None:
            self._ended.append(claim)
            self.served += 1
        return claim

    def forget(self, job_id: str) -> None:
        """Free the slot of a request that is settled already."""
        self._taken.pop(job_id, None)

    def give_back(self, job_id: str) -> None:
        """Note that a request needs no more the slot of another process."""
        self._returned.append(job_id)

    def take_returned(self) -> list[str]:
        """Take the requests of `give_back` since the last call: the processes that have their slots are to be told."""
        returned, self._returned = self._returned, []
        return returned

    def take_ended(self) -> list[Claim]:
        """Take the requests that have ended since the last call: they are to be settled in Redis."""
        ended, self._ended = self._ended, []
        return ended

    def put_back_ended(self, claims: list[Claim], returned: list[str]) -> None:
        """Add requests whose turn was not carried out for certain. To settle or return one twice does no harm."""
        self._ended = [*claims, *self._ended]
        self._returned = [*returned, *self._returned]
