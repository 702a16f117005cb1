"""Processes that are started and ended together, and the errors about those that do not start."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import ChildProcess, last_lines, running_together, wait_until, wait_until_slots
from fast_priority.local.free_ports import free_port

# It ends once the other one has got its SIGTERM, too.
ENDS_AFTER_THE_OTHER = """
import signal, sys, time
from pathlib import Path
own, other = map(Path, sys.argv[1:])
def end(*_):
    own.with_suffix(".asked").touch()
    while not other.with_suffix(".asked").exists():
        time.sleep(0.01)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
own.touch()
while True:
    signal.pause()
"""


def test_processes_are_ended_at_the_same_time(tmp_path: Path) -> None:
    """None of them is waited for before all have got their SIGTERM."""
    places = [tmp_path / "one", tmp_path / "two"]
    children = [
        ChildProcess("child", ("-c", ENDS_AFTER_THE_OTHER, str(own), str(other)), {})
        for own, other in (places, reversed(places))
    ]
    with running_together(children) as processes:
        wait_until("both run", lambda: all(place.exists() for place in places))
    assert [process.returncode for process in processes] == [0, 0]


def test_those_that_end_are_not_waited_for() -> None:
    """The error has their exit status, and the gateway is not asked for slots that cannot come."""
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    ended.wait()
    with pytest.raises(ConfigurationError, match="exit status 3"):
        wait_until_slots([ended], f"http://127.0.0.1:{free_port()}", 4)


def test_the_last_lines_stand_below_an_error() -> None:
    """Fifteen lines, indented, however much was written before."""
    with tempfile.TemporaryFile() as output:
        output.write(b"x" * 200_000 + b"\n" + b"".join(b"line %d\n" % number for number in range(40)))
        assert last_lines(output) == [f"  | line {number}" for number in range(25, 40)]
