"""Load tests that prove that a gateway lets high-priority requests overtake low ones, and how close it is to theory.

- `records`: what was sent and what arrived
- `scenarios`: what is sent, and when (pure)
- `queueing`: queueing theory (pure)
- `oracle`: what the records prove (pure)
- `clients`: base URLs, and the mock target's log
- `generator`, `locustfile.py`: locust, which sends the requests
- `metrics`, `report`: numbers, and what is shown of a check
- `check`: runs scenarios against a gateway, also against a stack that it starts
- `demo`: a load test with a picture in the terminal
- `cli`: the command line
"""

from pathlib import Path


def locustfile_path() -> Path:
    """Return the path of the locustfile, for `locust -f`."""
    return Path(__file__).with_name("locustfile.py")
