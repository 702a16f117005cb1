"""The errors about processes that do not start."""

import subprocess
import sys
import tempfile

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.local.child_processes import last_lines, wait_until_slots
from fast_priority.local.free_ports import free_port


def test_workers_that_end_are_not_waited_for() -> None:
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
