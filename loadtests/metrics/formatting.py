"""Durations and ratios as text. Pure."""

import math

_NO_NUMBER = "none"
_ENDLESS = "endless"


def format_seconds(seconds: float | None) -> str:
    """Return a duration with three digits, in ms below a second and in s above.

    An infinite one is "endless", and None or NaN is "none".
    """
    if seconds is None or math.isnan(seconds):
        return _NO_NUMBER
    if math.isinf(seconds):
        return _ENDLESS
    # Rounded before the unit is chosen, so that 0.9999 is 1 s and not 1000 ms.
    rounded = float(f"{seconds:.3g}")
    if rounded == 0:
        return "0 s"
    number, unit = (rounded, "s") if abs(rounded) >= 1 else (rounded * 1000, "ms")
    return f"{number:.0f} {unit}" if abs(number) >= 100 else f"{number:.3g} {unit}"


def format_ratio(ratio: float) -> str:
    """Return a ratio as text, such as "1.20 times"; NaN is "not known"."""
    if math.isnan(ratio):
        return "not known"
    return f"{ratio:.2f} times" if math.isfinite(ratio) else f"{_ENDLESS} times"
