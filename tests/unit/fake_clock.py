"""A clock that a test sets."""


class FakeClock:
    """Stands in for `time.monotonic`: it returns `seconds`."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds
