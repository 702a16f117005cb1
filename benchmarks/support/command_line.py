"""What the commands of the benchmarks share: whole numbers that make sense, and an end that leaves nothing running."""

import argparse
import signal
from types import FrameType

_ENDINGS = (signal.SIGINT, signal.SIGTERM)


def positive(text: str) -> int:
    """Read an option's whole number. Raises ArgumentTypeError below 1, and ValueError for what is none."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("this must be 1 or more")
    return number


def end_on_signals() -> None:
    """From now on let the first SIGINT or SIGTERM raise KeyboardInterrupt, and those after it do nothing."""
    for ending in _ENDINGS:
        signal.signal(ending, _end)


def _end(number: int, frame: FrameType | None) -> None:
    # Once is enough: a second one in the midst of stopping the parts would leave some of them.
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt
