"""Durations and ratios as people read them. Pure."""

import math

_NO_NUMBER = "none"
_ENDLESS = "endless"


def say_seconds(seconds: float | None) -> str:
    """Say a duration with three digits and the unit that suits it, ms below a second and s above.

    An infinite one is "endless", and None or what is no number is "none".
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


def say_ratio(ratio: float) -> str:
    """Say how many times as long something is; NaN, where there is nothing to compare, is "not known"."""
    if math.isnan(ratio):
        return "not known"
    return f"{ratio:.2f} times" if math.isfinite(ratio) else f"{_ENDLESS} times"
