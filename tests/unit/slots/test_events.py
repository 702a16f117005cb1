"""What a worker publishes about the requests that it claims."""

import pytest
from redis import Redis

from fast_priority import events as events_module
from fast_priority.broker.consumer import Claim, RqConnection
from fast_priority.broker.jobs import JobTemplate
from fast_priority.events import Forwarded, Started
from fast_priority.http.message import Request, TargetPolicy
from fast_priority.protocol.frames import Cancel, ForwardCall, Frame, Part, encode
from fast_priority.settings import Settings
from fast_priority.slots.dispatcher import Dispatcher
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.slots.in_flight import InFlight
from fast_priority.support.elapsed import Moment

CALL = encode(ForwardCall(Request("GET", b"/", [], b""), TargetPolicy("http://api", 1, 1, 0), is_permit=True))
CLAIM = Claim("job-1", "execution-1", "high", "gateway-1", JobTemplate.data(CALL))
FOREVER = Moment(float("inf"), float("inf"), float("inf"))


async def dispatched(listeners: list[object] | None) -> None:
    """Start a request, and end it because its client leaves."""

    async def publish_nothing(part: Part) -> None:
        pytest.fail("nothing is published")

    in_flight = InFlight(lambda claim: GatewayChannel("worker-1", publish_nothing))
    dispatcher = Dispatcher(
        "worker-1",
        Settings.load(),
        RqConnection(Redis()),
        in_flight,
        publish=lambda part: None,
        on_freed=lambda seconds: None,
    )
    if listeners is not None:
        dispatcher.events.subscribe(Started, listeners.append)
        dispatcher.events.subscribe(Forwarded, listeners.append)
    dispatcher.start(CLAIM, FOREVER)
    in_flight.receive(Frame("job-1", Cancel()))
    await dispatcher.close()


async def test_a_request_is_started_and_forwarded() -> None:
    """Each is published once, with the id of the job and the name of its queue."""
    seen: list[object] = []
    await dispatched(seen)
    started, forwarded = seen
    assert started == Started("job-1", "high")
    assert isinstance(forwarded, Forwarded)
    assert (forwarded.job_id, forwarded.queue_name) == ("job-1", "high")
    assert forwarded.taken_seconds >= 0


async def test_without_listeners_no_event_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request costs nothing for those who do not listen."""

    def fail(self: object, *_: object, **__: object) -> None:
        raise AssertionError(f"a {type(self).__name__} was built")

    for kind in (events_module.Started, events_module.Forwarded):
        monkeypatch.setattr(kind, "__init__", fail)
    await dispatched(None)
