"""A mock REST API to stand behind the gateway in tests, demos and load tests.

It echoes any request to any path as JSON, after a latency you choose, and keeps a log of what arrived in which order.

The nouns: a `Latency` says how long an answer waits; `Overrides` are what one request asks of its own answer; an
`Arrival` is one request in the `ArrivalLog`; an `Answer` is what goes back. `create_app` puts them together.
"""

from mock_target.app import create_app
from mock_target.settings import MockSettings

__all__ = ["MockSettings", "create_app"]
