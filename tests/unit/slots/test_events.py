"""What a worker publishes about its slots."""

from collections.abc import Callable

import pytest
from redis import Redis

from fast_priority.broker.consumer import Claim, RqConnection
from fast_priority.broker.jobs import JobTemplate
from fast_priority.events import Events, SlotEnd, SlotFreed, SlotTaken
from fast_priority.http.message import Reply, Request, TargetPolicy
from fast_priority.protocol.frames import Cancel, End, Failure, ForwardCall, Frame, Part, encode
from fast_priority.settings import Settings
from fast_priority.slots.dispatcher import Dispatcher
from fast_priority.slots.forward import FinalPart
from fast_priority.slots.gateway_channel import GatewayChannel
from fast_priority.slots.in_flight import InFlight
from fast_priority.support.elapsed import Moment

FOREVER = Moment(float("inf"), float("inf"), float("inf"))
CANCEL = Frame("job-1", Cancel())


def claimed(*, is_permit: bool = True) -> Claim:
    call = ForwardCall(Request("GET", b"/", [], b""), TargetPolicy("http://api", 1, 1, 0), is_permit=is_permit)
    return Claim("job-1", "execution-1", "high", "gateway-1", JobTemplate.data(encode(call)))


class Worker:
    """A dispatcher with one request, and the events that it has published."""

    def __init__(self, events: Events | None = None) -> None:
        async def publish_nothing(part: Part) -> None:
            pytest.fail("nothing is published")

        self.in_flight = InFlight(lambda claim: GatewayChannel("worker-1", publish_nothing))
        self.rq_connection = RqConnection(Redis())
        self.dispatcher = Dispatcher(
            "worker-1",
            Settings.load(),
            self.rq_connection,
            self.in_flight,
            publish=lambda part: None,
            on_freed=lambda seconds: None,
            events=events,
        )

    def end_with(self, final: FinalPart | None) -> None:
        (request,) = self.in_flight
        request.end(final)


def listened() -> tuple[Worker, list[SlotTaken], list[SlotFreed]]:
    events, taken, freed = Events(), list[SlotTaken](), list[SlotFreed]()
    events.subscribe(SlotTaken, taken.append)
    events.subscribe(SlotFreed, freed.append)
    return Worker(events), taken, freed


async def test_a_slot_is_taken_and_freed() -> None:
    """Each is published once, with the id of the job and the name of its queue."""
    worker, taken, freed = listened()
    worker.dispatcher.start(claimed(), FOREVER)
    assert (taken, freed) == ([SlotTaken("job-1", "high", "gateway-1")], [])
    worker.in_flight.receive(CANCEL)
    await worker.dispatcher.close()
    assert len(taken) == 1
    (event,) = freed
    assert (event.job_id, event.queue_name) == ("job-1", "high")
    assert event.taken_seconds >= 0


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda worker: worker.end_with(Reply(200, [], b"")), SlotEnd.ANSWERED),
        (lambda worker: worker.end_with(End(3)), SlotEnd.ANSWERED),
        (lambda worker: worker.end_with(Failure("target-closed", "it closed")), SlotEnd.FAILED),
        (lambda worker: worker.end_with(None), SlotEnd.CANCELLED),
        (lambda worker: worker.in_flight.receive(CANCEL), SlotEnd.PERMIT_ENDED),
    ],
    ids=["a whole response", "the end of a response", "an error", "nothing", "the end of a permit"],
)
async def test_how_a_request_ended(end: Callable[[Worker], None], how: SlotEnd) -> None:
    """A slot that is freed shows how its request has ended."""
    worker, _, freed = listened()
    worker.dispatcher.start(claimed(), FOREVER)
    end(worker)
    await worker.dispatcher.close()
    assert [event.end for event in freed] == [how]


async def test_a_client_that_leaves_while_its_request_is_forwarded() -> None:
    """The request is cancelled."""
    worker, _, freed = listened()
    worker.dispatcher.start(claimed(is_permit=False), FOREVER)
    (request,) = worker.in_flight
    assert request.task is not None
    worker.in_flight.receive(CANCEL)
    await request.task
    await worker.dispatcher.close()
    assert [event.end for event in freed] == [SlotEnd.CANCELLED]


async def test_a_job_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot that was taken by a job that is not a request of a gateway ends as refused."""
    worker, taken, freed = listened()
    monkeypatch.setattr(worker.rq_connection, "refuse", lambda claim, reason: None)
    worker.dispatcher.start(claimed()._replace(data=b"not ours"), FOREVER)
    (request,) = worker.in_flight
    assert request.task is not None
    await request.task
    assert (len(taken), [event.end for event in freed]) == (1, [SlotEnd.REFUSED])
    await worker.dispatcher.close()


async def test_a_client_that_has_left_already_takes_no_slot() -> None:
    """Nothing is published for a claim that comes after its client has left."""
    worker, taken, freed = listened()
    worker.in_flight.receive(CANCEL)
    worker.dispatcher.start(claimed(), FOREVER)
    await worker.dispatcher.close()
    assert (taken, freed) == ([], [])


async def test_without_listeners_no_event_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request costs nothing for those who do not listen."""

    def fail(self: object, *_: object, **__: object) -> None:
        raise AssertionError(f"a {type(self).__name__} was built")

    for kind in (SlotTaken, SlotFreed):
        monkeypatch.setattr(kind, "__init__", fail)
    worker = Worker()
    worker.dispatcher.start(claimed(), FOREVER)
    worker.in_flight.receive(CANCEL)
    await worker.dispatcher.close()
    assert len(worker.in_flight) == 0
