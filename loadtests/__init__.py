"""Proves that a gateway lets high-priority requests overtake low ones, and shows how close it comes to theory.

- `passages`, `verdict`, `results`: the nouns: what was sent and arrived, what a check says, all of it together
- `arriving`, `streams`, `scenarios`: what is sent, and when (pure)
- `ordering`, `limits`: the oracle: what the records prove (pure)
- `theory`, `perfect`, `planning`: queueing theory: formulas, the queue without flaws, how many slots it takes (pure)
- `overheads`, `ratio`, `waits`, `comparing`: measurements beside it (pure)
- `judging`: all that one scenario promises, judged (pure)
- `users`, `options`, `locustfile`: locust, which sends; `recording`, `mock`: files, and the mock target's log
- `check`: runs scenarios against a gateway, or a whole stack of its own; `report`: what is shown of it
- `cli`: the command line
"""

from pathlib import Path


def locustfile_path() -> Path:
    """Give where the locustfile is: `locust -f` wants to know."""
    return Path(__file__).with_name("locustfile.py")
