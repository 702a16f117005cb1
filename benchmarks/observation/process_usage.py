"""CPU time and resident memory of a process and its descendants, as the kernel counts them."""

import os
from contextlib import suppress
from pathlib import Path

_MICROSECONDS_PER_TICK = 1_000_000 / os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM, _USER_OF_CHILDREN, _SYSTEM_OF_CHILDREN = 11, 12, 13, 14  # fields of /proc/<pid>/stat after the name


def cpu_microseconds(pid: int) -> float:
    """Return the CPU time of a process and its descendants, with those that have ended and were waited for."""
    return sum(map(_own_cpu_microseconds, process_tree(pid)))


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants."""
    return sum(map(own_resident_bytes, process_tree(pid)))


def process_tree(pid: int) -> list[int]:
    """Return the ids of the process and of its running descendants."""
    pids = [pid]
    for one in pids:
        with suppress(OSError):  # the process has ended
            for task in Path(f"/proc/{one}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
    return pids


def _own_cpu_microseconds(pid: int) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        spent = (_USER, _SYSTEM, _USER_OF_CHILDREN, _SYSTEM_OF_CHILDREN)
        return sum(int(fields[place]) for place in spent) * _MICROSECONDS_PER_TICK
    return 0.0


def own_resident_bytes(pid: int) -> int:
    """Return the resident memory of a process without its descendants; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
