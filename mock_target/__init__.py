"""A mock REST API to stand behind a gateway in tests, demos and load tests: a target that can do anything on a bad day.

It echoes any request to any path as JSON, as late, as slowly and as wrongly as you choose, works on as many at once as
you allow, and keeps a log of what arrived in which order. docs/reference/mock-target.md tells how.

The nouns: a `Knob` is one thing that can be set, a `Behaviour` a value for each; `Settings` are the default behaviour
and the `Route`s that overrule it. `decide` makes a `Plan` of a behaviour and an arrival's `Draws`. An `Exchange`
carries it out: a turn from the `Limiter`, an `Answer` in `Piece`s, or a `Fault` on the `Wire`. An `Arrival` is one
request in the `ArrivalLog`. `create_app` puts them together.
"""

from mock_target.app import create_app
from mock_target.settings import MockSettings, Settings

__all__ = ["MockSettings", "Settings", "create_app"]
