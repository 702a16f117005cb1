"""A mock REST API to put behind a gateway in tests, demos and load tests.

It echoes any request to any path as JSON, with the latency, the bandwidth and the failures that you set, limits how
many requests it handles at once, and keeps a log of the requests in their order of arrival. On the paths of model
servers it answers as OpenAI's API and Ollama do: see docs/reference/mock-target.md.

The nouns: a `Knob` is one thing that can be set, a `Behaviour` holds a value for each; `Settings` are the default
behaviour and the `Route`s that override it. `plan_response` makes a `ResponsePlan` from a behaviour and the random
`Draws` of an arrival. An `Exchange` executes the plan: it waits for a permit of the `Limiter` and sends a
`MockResponse` in `Piece`s, or applies a `Fault` to the `RawConnection`. An `Arrival` is one request in the
`ArrivalLog`. `create_app` puts them together.
"""

from mock_target.app import create_app
from mock_target.settings import MockSettings, Settings

__all__ = ["MockSettings", "Settings", "create_app"]
