"""Requests of a load against the mock target itself: each kind is answered, and wrong content is detected."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fast_priority.local.child_processes import mock_target_process, wait_until, wait_until_answers
from fast_priority.local.free_ports import free_port
from tests.chaos.link_faults import HalfCloseAfter, ResetAfter, Throttle
from tests.chaos.load import sending
from tests.chaos.load.background import Load
from tests.chaos.load.content import Upload, downloaded
from tests.chaos.load.plan import Done, Kind, Outcome, Plan
from tests.chaos.load.sending import open_session, send
from tests.chaos.proxy import Proxies, Proxy
from tests.forked_processes import forked

_PLAN = Plan("some-id", 0.0, "GET", "high", size_bytes=100_000, bytes_per_second=1_000_000)
_TIMEOUT_SECONDS = 30.0


@pytest.fixture(scope="module")
def mock_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    port = free_port()
    output = tmp_path_factory.mktemp("target") / "output"
    with output.open("wb") as file, forked(mock_target_process(port, "0"), file) as process:
        wait_until_answers(process, "mock target", f"http://127.0.0.1:{port}/health")
        yield port


@pytest.fixture
def proxy(mock_port: int) -> Iterator[Proxy]:
    with Proxies() as proxies:
        yield proxies.before(mock_port)


def _send(port: int, plan: Plan, *, has_ended: bool = False) -> Done:
    async def send_it() -> Done:
        ending = asyncio.Event()
        if has_ended:
            ending.set()
        async with open_session() as session:
            return await send(session, f"http://127.0.0.1:{port}", plan, _TIMEOUT_SECONDS, ending)

    return asyncio.run(send_it())


@pytest.mark.parametrize(
    ("kind", "method", "status"),
    [
        (Kind.SHORT, "GET", 200),
        (Kind.SHORT, "POST", 200),
        (Kind.UPLOAD, "POST", 200),
        (Kind.DOWNLOAD, "GET", 200),
        (Kind.SOCKET, "GET", 101),
        (Kind.DECLINED_SOCKET, "GET", 200),  # the mock target has WebSockets on one path only
    ],
)
def test_each_kind_is_answered(mock_port: int, kind: Kind, method: str, status: int) -> None:
    """Each kind of request is answered with its expected status."""
    done = _send(mock_port, replace(_PLAN, kind=kind, method=method))
    assert (done.outcome, done.status) == (Outcome.ANSWERED, status)


def test_a_refusal_is_recorded_with_retry_after(mock_port: int) -> None:
    """For a status other than 200, the status and Retry-After are kept."""
    plan = replace(_PLAN, latency="0&mock_status=503&mock_fields=Retry-After:%207")
    done = _send(mock_port, plan)
    assert (done.outcome, done.status, done.retry_after) == (Outcome.ANSWERED, 503, "7")


def test_an_answer_to_another_request_is_detected(mock_port: int) -> None:
    """A response that does not echo this request counts as wrong."""
    plan = replace(_PLAN, latency="0&mock_body=somebody%20else")
    assert _send(mock_port, plan).outcome is Outcome.WRONG


def test_a_download_of_other_bytes_is_detected(mock_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download with a wrong byte is wrong, and one that is too short is broken off."""
    download = replace(_PLAN, kind=Kind.DOWNLOAD)
    assert _send(mock_port, replace(download, latency="0&mock_size=99999")).outcome is Outcome.BROKEN_OFF
    monkeypatch.setattr(sending, "downloaded", lambda start, length: bytes(length))
    assert _send(mock_port, download).outcome is Outcome.WRONG


def test_an_upload_of_other_bytes_is_detected(mock_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload whose checksum at the target differs from the sent one is wrong."""
    monkeypatch.setattr(Upload, "checksum", property(lambda upload: "0" * 64))
    assert _send(mock_port, replace(_PLAN, kind=Kind.UPLOAD, method="POST")).outcome is Outcome.WRONG


@pytest.mark.parametrize("fault", [ResetAfter(20_000), HalfCloseAfter(20_000)])
def test_a_download_that_ends_early_is_broken_off(proxy: Proxy, fault: ResetAfter | HalfCloseAfter) -> None:
    """A download that ends early is broken off, however its connection ends."""
    proxy.downstream = fault
    done = _send(proxy.port, replace(_PLAN, kind=Kind.DOWNLOAD))
    assert (done.outcome, done.status) == (Outcome.BROKEN_OFF, 200)


def test_a_connection_without_a_response_is_closed(proxy: Proxy) -> None:
    """A connection that closes before a response is "closed"; one that cannot be opened is "refused"."""
    proxy.downstream = ResetAfter(0)
    assert _send(proxy.port, _PLAN).outcome is Outcome.CLOSED
    proxy.refuse()
    assert _send(proxy.port, _PLAN).outcome is Outcome.REFUSED


def test_a_client_disconnects(mock_port: int) -> None:
    """A client that disconnects early has "left", and no answer is missing."""
    plan = replace(_PLAN, latency="20", leaves_after_seconds=0.1)
    assert _send(mock_port, plan).outcome is Outcome.LEFT


def test_long_transfers_end_on_request(mock_port: int) -> None:
    """On request, an upload completes with the bytes sent so far, and the client of a download disconnects."""
    endless = replace(_PLAN, size_bytes=60_000_000)
    upload = _send(mock_port, replace(endless, kind=Kind.UPLOAD, method="POST"), has_ended=True)
    assert (upload.outcome, upload.status) == (Outcome.ANSWERED, 200)
    assert _send(mock_port, replace(endless, kind=Kind.DOWNLOAD), has_ended=True).outcome is Outcome.LEFT


@pytest.mark.parametrize(("start", "length"), [(0, 10), (250, 20), (1_000_000, 70_000)])
def test_the_bytes_of_a_download_are_known(start: int, length: int) -> None:
    """Byte n of a download is n modulo 256, wherever a piece begins."""
    assert downloaded(start, length) == bytes(n % 256 for n in range(start, start + length))


def test_a_load_is_answered_until_it_ends(proxy: Proxy, redis_port: int) -> None:
    """Without a fault all requests of a load are answered, and its long transfers last until it ends."""
    proxy.inject(Throttle(10_000_000))
    with Load(proxy.port, redis_port) as load:
        wait_until("some are answered", lambda: len(load.done) >= 5)
        assert load.long_transfer_ids.isdisjoint(one.plan.request_id for one in load.done)
        load.pause()
        wait_until("only the long transfers are in flight", lambda: load.in_flight == 2)
        done = load.end()
    assert {one.outcome for one in done if one.plan.request_id not in load.long_transfer_ids} == {Outcome.ANSWERED}
    standing = {one.plan.kind: one.outcome for one in done if one.plan.request_id in load.long_transfer_ids}
    assert standing == {Kind.UPLOAD: Outcome.ANSWERED, Kind.DOWNLOAD: Outcome.LEFT}
