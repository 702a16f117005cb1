"""How numbers are printed: with the digits that matter, and their unit."""

import math

MEBIBYTE = 1024 * 1024
_DASH = "–"  # noqa: RUF001 - the typographic sign is meant


def two_digits(value: float) -> str:
    """Return two significant digits, or all digits before the point: 0.00046, 2.7, 13, 9,604; a dash for NaN."""
    if not math.isfinite(value):
        return _DASH
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def format_ratio(value: float) -> str:
    """Return a ratio: 0.00046, 0.973, 2.48, 51."""
    if value >= 1:
        return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.1 else f"{value:.2g}"


def format_milliseconds(value: float) -> str:
    """Return a time with its unit: 0.12 ms, 16.4 ms, 1,250 ms."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 10 else f"{value:.2f} ms"


def format_percent(value: float) -> str:
    """Return a share: 93.5%, and with more digits near the whole: 98.96%."""
    return f"{value:.2%}" if value >= 0.98 else f"{value:.1%}"


def format_mebibytes(size_bytes: float) -> str:
    """Return a size: 1.5 MiB."""
    return f"{size_bytes / MEBIBYTE:,.1f} MiB"
