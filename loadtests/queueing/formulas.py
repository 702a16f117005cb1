"""Queueing theory of a gateway with two priorities: exact waits from the rates and the slot time. Pure.

The model is the non-preemptive M/M/c queue: requests arrive at random (Poisson), each holds one of `slots` slots for an
exponential time with the same mean for both classes, a free slot takes high requests first, and the oldest of a class
first. The slots are the only limit.

This module uses three results, with a the offered load in slots and c the number of slots:

1. All c slots are in use with probability C(c, a), Erlang's second formula (A. K. Erlang 1917). It is taken from his
   first one, B(k) = a B(k-1) / (k + a B(k-1)), B(0) = 1, whose terms stay between 0 and 1 for any number of slots.
2. The mean waits are C / (c mu (1 - rho_high)) for high and C / (c mu (1 - rho_high) (1 - rho)) for low: A. Cobham,
   "Priority assignment in waiting line problems", Operations Research 2 (1954); for c servers also R. H. Davis,
   "Waiting-time distribution of a multi-server, priority queuing system", Operations Research 14 (1966), and O. Kella
   and U. Yechiali, "Waiting times in the non-preemptive priority M/M/c queue", Stochastic Models 1 (1985).
3. The wait of high, if it is not 0, is exponential: P(wait > t) = C exp(-c mu (1 - rho_high) t) (Davis).
   Proof: let n high ones wait. n grows from n to n + 1 only when a high one arrives while all slots are in use, at the
   rate lambda_high; it falls back whenever any slot becomes free, at the rate c mu, because high ones go first. Both
   must happen equally often in the long run: lambda_high P(n, all in use) = c mu P(n + 1, all in use). So, given that
   all slots are in use, n is geometric with the ratio rho_high = lambda_high / (c mu). A request that then arrives
   waits for n + 1 slots to become free, and a geometric number of exponential times adds up to an exponential time.

If only the order between requests of equal slot times changes, one class gains what the other loses:
rho_high W_high + rho_low W_low is the same for every order (L. Kleinrock, "A conservation law for a wide class of
queueing disciplines", Naval Research Logistics Quarterly 12, 1965).

At a load of 1 or more the low queue grows without limit. Then all slots are always in use: C is 1, the wait of low is
infinite, and the proof of 3 still holds for high as long as high alone does not fill the slots.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """A gateway as a queueing model; all waits are long-run values in seconds.

    `slots` is 1 or more; `service_seconds`, the mean time that a request holds its slot, is above 0; the rates are 0 or
    more. Raises ValueError for anything else.
    """

    slots: int
    service_seconds: float
    high_per_second: float
    low_per_second: float

    def __post_init__(self) -> None:
        if self.slots < 1:
            raise ValueError(f"slots is {self.slots}; use 1 or more")
        if not 0 < self.service_seconds < math.inf:
            raise ValueError(f"service_seconds is {self.service_seconds}; use a number above 0")
        for name in ("high_per_second", "low_per_second"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; use a number of 0 or more")

    @property
    def load(self) -> float:
        """The offered load as a share of the slots' capacity; 1 or more is overload."""
        return (self.high_per_second + self.low_per_second) * self.service_seconds / self.slots

    @property
    def high_load(self) -> float:
        """The load of high requests alone."""
        return self.high_per_second * self.service_seconds / self.slots

    @property
    def wait_probability(self) -> float:
        """The probability that a request finds all slots in use: Erlang C; 1 at a load of 1 or more."""
        if self.load >= 1:
            return 1.0
        none_free = _erlang_b(self.slots, self.load * self.slots)
        return none_free / (1 - self.load * (1 - none_free))

    @property
    def high_wait_seconds(self) -> float:
        """The mean wait of high requests; infinite if high ones alone fill the slots."""
        return self.wait_probability * self._mean_seconds(1 - self.high_load)

    @property
    def low_wait_seconds(self) -> float:
        """The mean wait of low requests; infinite at a load of 1 or more."""
        return self.wait_probability * self._mean_seconds((1 - self.high_load) * max(0.0, 1 - self.load))

    @property
    def fifo_wait_seconds(self) -> float:
        """The mean wait of all requests if there were no priorities; infinite at a load of 1 or more."""
        return self.wait_probability * self._mean_seconds(1 - self.load)

    def high_wait_quantile_seconds(self, p: float) -> float:
        """Return the wait that the share `p` of high requests does not exceed; 0 if that share does not wait.

        `p` lies between 0 and 1, both excluded; raises ValueError otherwise.
        """
        if not 0 < p < 1:
            raise ValueError(f"p is {p}; use a share between 0 and 1, such as 0.95")
        over = self.wait_probability / (1 - p)
        return math.log(over) * self._mean_seconds(1 - self.high_load) if over > 1 else 0.0

    def _mean_seconds(self, spare_share: float) -> float:
        """Return the mean time until a slot becomes free, if this share of the slots is available."""
        return self.service_seconds / (self.slots * spare_share) if spare_share > 0 else math.inf


def _erlang_b(slots: int, offered: float) -> float:
    """Return the probability that all slots are in use without a queue: Erlang B, in as many steps as slots."""
    blocked = 1.0
    for slot in range(1, slots + 1):
        blocked = offered * blocked / (slot + offered * blocked)
    return blocked
