"""How much time has passed at least, by the clock of this machine that counts the most.

The monotonic clock stands still while a machine is suspended, and the wall clock can be set. Where counting too much
time is harmless and counting too little is not, the largest count is the safe one.
"""

import time
from typing import NamedTuple

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", None)  # Linux; it goes on while the machine is suspended


class Moment(NamedTuple):
    """One moment by each clock of this machine, in seconds."""

    monotonic: float
    boot: float
    wall: float

    @classmethod
    def now(cls) -> "Moment":
        """Return the present moment."""
        monotonic = time.monotonic()
        boot = monotonic if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)
        return cls(monotonic, boot, time.time())

    def elapsed_seconds(self) -> float:
        """Return the seconds since this moment, by the clock that counts the most."""
        now = Moment.now()
        return max(now.monotonic - self.monotonic, now.boot - self.boot, now.wall - self.wall)
