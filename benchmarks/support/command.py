"""What the commands share: option types, signals and exit statuses."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

from fast_priority.errors import ConfigurationError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOT_MEASURED, _INTERRUPTED = 2, 130


def positive_int(text: str) -> int:
    """Parse the number of an option. Raises ArgumentTypeError below 1, and ValueError if it is not a whole number."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("this must be 1 or more")
    return number


def exit_status(measure: Callable[[], int]) -> int:
    """Run a benchmark and return its exit status: 2 if it could not be measured, 130 if it was interrupted.

    Every process that the benchmark started is stopped before.
    """
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        return measure()
    except KeyboardInterrupt:
        print("interrupted; every process that was started is stopped", file=sys.stderr)
        return _INTERRUPTED
    except (ConfigurationError, TimeoutError, subprocess.TimeoutExpired) as error:
        print(f"error: {error}", file=sys.stderr)
        return _NOT_MEASURED


def _interrupt(number: int, frame: FrameType | None) -> None:
    # The first signal only: a second one while processes are being stopped would leave some of them running.
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt
