"""How rarely the collector of cyclic garbage runs."""

import subprocess
import sys

_PROGRAM = """
import gc
from fast_priority.support.gc_tuning import collect_rarely
collect_rarely()

class Ring:
    freed = 0
    def __init__(self):
        self.itself = self
    def __del__(self):
        Ring.freed += 1

kept = []
for _ in range(200_000):
    kept.append([])
    Ring()
print(Ring.freed > 0, gc.get_freeze_count() > 0)
"""


def test_cycles_still_go() -> None:
    """Cyclic garbage is freed in the end, and objects that existed at the start are never visited again."""
    said = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "True"]
