"""What processes have used, each with all that it started: CPU by the kernel's count, and resident memory."""

import os
from contextlib import suppress
from pathlib import Path

_MICROSECONDS_A_TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM, _USER_OF_ENDED, _SYSTEM_OF_ENDED = 11, 12, 13, 14  # fields of /proc/<pid>/stat behind the name


def cpu_microseconds(pid: int) -> float:
    """Give the CPU time of a process and its descendants, of those too that have ended and were waited for."""
    return sum(map(_own_cpu_microseconds, family(pid)))


def resident_bytes(pid: int) -> int:
    """Give the resident memory of a process and its descendants."""
    return sum(map(_own_resident_bytes, family(pid)))


def family(pid: int) -> list[int]:
    """Give the process and all its descendants that run."""
    found = [pid]
    for one in found:
        with suppress(OSError):  # it has ended
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _own_cpu_microseconds(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        spent = (_USER, _SYSTEM, _USER_OF_ENDED, _SYSTEM_OF_ENDED)
        return sum(int(fields[place]) for place in spent) * _MICROSECONDS_A_TICK
    return 0.0


def _own_resident_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
