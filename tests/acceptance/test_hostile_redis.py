"""Nothing that an attacker writes to Redis is run, ends a process, or gets into another client's connection."""

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rq.job import Job
from rq.results import Result

from fast_priority.broker import keys
from fast_priority.broker.jobs import FORWARD, JobTemplate, WriteOnlySerializer
from fast_priority.http.message import Fields, Reply, Request, TargetPolicy
from fast_priority.protocol.frames import Chunk, End, Failure, ForwardCall, Frame, Head, Part, encode
from fast_priority.scheduling.priority import Priority
from tests.harness import Stack, exchange_bytes, running_stack, scripted_target, wait_until
from tests.redis_servers import loopback_redis

HIGH, FAILED = keys.queue(Priority.HIGH), keys.failed("high")
SMUGGLED = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with a worker. The tests write to its Redis."""
    with loopback_redis() as port, running_stack(port, tmp_path_factory.mktemp("hostile")) as stack:
        stack.start_mock()
        stack.start_gateway()
        stack.start_workers()
        yield stack


@pytest.fixture
def held_back(serving: Stack) -> Iterator[Stack]:
    """The same, with the worker suspended: the test answers in its place."""
    serving.redis.set(keys.SUSPENDED, 1)
    yield serving
    serving.redis.delete(keys.SUSPENDED)


def call_to(base_url: str, request: Request | None = None) -> bytes:
    policy = TargetPolicy(base_url, 1.0, 1.0, 0)
    return JobTemplate.data(encode(ForwardCall(request or Request("GET", b"/forged", [], b""), policy)))


def gateway_of(stack: Stack) -> str:
    (found,) = stack.redis.keys(f"{keys.GATEWAY_PREFIX}*")
    return str(found.decode().removeprefix(keys.GATEWAY_PREFIX))


def enqueue(stack: Stack, *data: bytes) -> list[str]:
    """Put jobs with these data on the high queue, as a gateway does."""
    ids = [str(uuid4()) for _ in data]
    server = stack.redis.info("server")["run_id"]
    fields = {"status": "queued", "origin": "high", "gateway": gateway_of(stack), "server": server}
    for job_id, one in zip(ids, data, strict=True):
        stack.redis.hset(keys.job(job_id), mapping={**fields, "data": one})
        stack.redis.expire(keys.job(job_id), 60)
        stack.redis.rpush(HIGH, job_id)
    stack.redis.lpush(keys.WAKE_UP, "1")
    return ids


def are_refused(stack: Stack, ids: list[str]) -> None:
    """Return when all these jobs are in the failed registry, each with a reason, and the worker still serves."""
    wait_until("they are refused", lambda: all(stack.redis.zscore(FAILED, job_id) for job_id in ids))
    have_a_reason(stack, ids)


def have_a_reason(stack: Stack, ids: list[str]) -> None:
    for job_id in ids:
        result = Result.fetch_latest(Job(job_id, connection=stack.redis, serializer=WriteOnlySerializer))
        assert result is not None
        assert result.exc_string
    assert stack.client.get("/queued").status_code == 200
    assert stack.processes["workers"].poll() is None
    assert stack.health()["workers"] == 1


class Touches:
    """Makes a file when it is unpickled."""

    def __init__(self, witness: Path) -> None:
        self._witness = witness

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self._witness,)


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Return data of which some bytes are changed or left out, or between which others are inserted."""
    change = st.tuples(st.integers(0, len(data)), st.integers(0, 3), st.binary(max_size=3))

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        changed = data
        for at, left_out, put_in in changes:
            changed = changed[:at] + put_in + changed[at + left_out :]
        return changed

    return st.lists(change, min_size=1, max_size=4).map(apply).filter(lambda changed: changed != data)


# The last byte of the pickle is a dot, and the payload's length stands in its head: no change leaves both as they were.
FORGED = st.lists(
    damaged(call_to("http://127.0.0.1:1")[:150]) | damaged(pickle.dumps((FORWARD, None, (b"x",), {}))) | st.binary(),
    min_size=1,
    max_size=20,
)


@settings(max_examples=15)
@given(FORGED)
def test_no_bytes_end_the_worker(serving: Stack, forged: list[bytes]) -> None:
    """A job with any data is called or put into rq's failed registry; it ends, and the worker continues."""
    ids = enqueue(serving, *forged)

    def refused() -> list[str]:
        return [job_id for job_id in ids if serving.redis.zscore(FAILED, job_id)]

    def ended() -> list[str]:
        return [job_id for job_id in ids if not serving.redis.exists(keys.job(job_id))]

    wait_until("they have ended", lambda: len(refused()) + len(ended()) == len(ids))
    have_a_reason(serving, refused())


def test_no_pickle_is_run(serving: Stack, tmp_path: Path) -> None:
    """Code in a pickle is not run, in whatever part of the job it is."""
    witness = tmp_path / "it ran"
    bomb = Touches(witness)
    calls: tuple[Any, ...] = (
        bomb,
        (FORWARD, None, (bomb,), {}),
        (FORWARD, bomb, (b"",), {}),
        ("pathlib.Path.touch", None, (witness,), {}),
    )
    are_refused(serving, enqueue(serving, *map(pickle.dumps, calls)))
    assert not witness.exists()


FORGED_REQUESTS = {
    "a line more in its method": Request("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", b"/", [], b""),
    "a tunnel": Request("CONNECT", b"elsewhere:80", [], b""),
    "no method": Request("", b"/", [], b""),
    "a line more in its target": Request("GET", b"/ HTTP/1.1\r\nX: y\r\n\r\nGET /", [], b""),
    "a blank in its target": Request("GET", b"/a b", [], b""),
    "a field more in a value": Request("GET", b"/", [(b"x", b"a\r\nb: c")], b""),
    "a field more in a name": Request("GET", b"/", [(b"x: y\r\nz", b"a")], b""),
    "a host that is not one": Request("GET", b"/", [(b"host", b"elsewhere/x")], b""),
    "two hosts": Request("GET", b"/", [(b"host", b"a"), (b"host", b"b")], b""),
    "a transfer coding": Request(
        "POST", b"/", [(b"transfer-encoding", b"chunked")], b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    ),
    "a length that is too long": Request("POST", b"/", [(b"content-length", b"500")], b"x"),
    "a length that is too short": Request("POST", b"/", [(b"content-length", b"0")], b"GET / HTTP/1.1\r\n\r\n"),
    "two lengths": Request("POST", b"/", [(b"content-length", b"1"), (b"content-length", b"0")], b"x"),
    "a negative length": Request("POST", b"/", [(b"content-length", b"-1")], b"x"),
}


@pytest.mark.parametrize("request_", FORGED_REQUESTS.values(), ids=FORGED_REQUESTS)
def test_a_request_that_no_gateway_has_queued(serving: Stack, request_: Request) -> None:
    """A forged request that the target would read as longer or shorter than we do is refused; nothing of it is sent."""
    serving.forget_arrivals()
    are_refused(serving, enqueue(serving, call_to(serving.mock_url, request_)))
    assert [row["path"] for row in serving.arrivals()] == ["/queued"]


def test_a_forged_request_does_not_climb(serving: Stack) -> None:
    """A forged request for a path above the one of the base URL is refused, and not sent."""
    serving.forget_arrivals()
    calls = [
        call_to(f"{serving.mock_url}/api", Request("GET", raw_target, [], b""))
        for raw_target in (b"/../queued", b"/..%2fqueued", b"/x/..;/..;/queued", b"..\\queued")
    ]
    ids = enqueue(serving, *calls)
    wait_until("they have ended", lambda: not serving.redis.exists(*(keys.job(job_id) for job_id in ids)))
    assert serving.client.get("/queued").status_code == 200
    assert [row["path"] for row in serving.arrivals()] == ["/queued"]


ELSEWHERE = {
    "a host behind ours as a user": b"@elsewhere/",
    "a path like a host": b"//elsewhere/",
    "a whole URL": b"http://elsewhere/",
    "a host behind a port": b":1@elsewhere/",
}


@pytest.mark.parametrize("raw_target", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_worker_with_a_target_of_its_own_sends_nothing_elsewhere(stack: Stack, raw_target: bytes) -> None:
    """With FAST_PRIORITY_TARGET_BASE_URL at the worker, no job makes it send to another host."""

    def answer(connection: Any, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    stack.start_mock()
    stack.start_gateway()
    stack.start_workers(FAST_PRIORITY_TARGET_BASE_URL=stack.mock_url)
    with scripted_target(answer) as (elsewhere, heads):
        enqueue(stack, call_to(f"http://127.0.0.1:{elsewhere}", Request("GET", raw_target, [], b"")))
        wait_until("the job is done with", lambda: len(stack.arrivals()) == 1)
        assert heads == []


NO_JOB_IDS = {
    "two lines": b"a\r\nb",
    "a pattern": b"*",
    "no text": b"\xff\xfe",
    "a path": b"../x",
    "a blank": b"a b",
    "a hash tag": b"{x}",
    "nothing": b"",
}


@pytest.mark.parametrize("job_id", NO_JOB_IDS.values(), ids=NO_JOB_IDS)
def test_a_job_id_that_is_none(serving: Stack, job_id: bytes) -> None:
    """A job with an id that rq's tools cannot name is removed, and the job behind it is served."""
    serving.redis.hset(keys.JOB_PREFIX.encode() + job_id, mapping={"status": "queued", "data": b"x"})
    serving.redis.rpush(HIGH, job_id)
    assert serving.client.get("/queued").status_code == 200
    assert not serving.redis.exists(keys.JOB_PREFIX.encode() + job_id)


def forge(stack: Stack, *parts: Part) -> bytes:
    """Send a request, publish these parts in the place of a worker, and return all that its client receives."""
    request = b"GET /queued HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"
    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(exchange_bytes, stack.gateway_port, request)
        wait_until("it is queued", lambda: stack.redis.llen(HIGH) == 1)
        job_id = stack.redis.lpop(HIGH).decode()
        frames = [encode(Frame(job_id, part)) for part in parts]
        stack.redis.rpush(keys.inbox(gateway_of(stack)), *frames)
        received: bytes = asking.result(60)
    stack.redis.delete(keys.job(job_id))
    return received


SPLITTING: dict[str, Fields] = {
    "CR LF in a value": [(b"x", b"a\r\n\r\n" + SMUGGLED)],
    "LF in a value": [(b"x", b"a\nset-cookie: b")],
    "CR in a value": [(b"x", b"a\rset-cookie: b")],
    "NUL in a value": [(b"x", b"a\x00b")],
    "a folded line": [(b"x", b"a\r\n b")],
    "CR LF in a name": [(b"x: y\r\nset-cookie", b"b")],
    "a colon in a name": [(b"set-cookie: a\r\nx", b"b")],
    "no name": [(b"", b"b")],
    "a transfer coding": [(b"transfer-encoding", b"chunked")],
    "two lengths": [(b"content-length", b"0"), (b"content-length", str(len(SMUGGLED)).encode())],
    "a length that is too short": [(b"content-length", b"0")],
    "a length that is too long": [(b"content-length", b"5000")],
    "a negative length": [(b"content-length", b"-1")],
    "a length of many digits": [(b"content-length", b"9" * 40)],
    "a field of the connection": [(b"upgrade", b"h2c")],
    "too much": [(b"x", b"a" * 70_000)],
}


@pytest.mark.parametrize("fields", SPLITTING.values(), ids=SPLITTING)
def test_a_forged_reply_splits_no_response(held_back: Stack, fields: Fields) -> None:
    """A forged reply whose head no target could have sent becomes one 502, with nothing of the reply."""
    received = forge(held_back, Reply(200, fields, SMUGGLED))
    assert received.startswith(b"HTTP/1.1 502 ")
    assert received.count(b"HTTP/1.1") == 1
    assert b"smuggled" not in received
    assert b"\nset-cookie" not in received.replace(b"\r", b"\n")


@pytest.mark.parametrize("fields", SPLITTING.values(), ids=SPLITTING)
def test_a_forged_stream_splits_no_response(held_back: Stack, fields: Fields) -> None:
    """A forged stream with a wrong length, or an impossible head, never ends like a complete response."""
    received = forge(held_back, Head(200, fields, "worker"), Chunk(0, memoryview(SMUGGLED)), End(1))
    assert received.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 200 "))
    assert b"smuggled" not in received or b"content-length: 5000" in received
    assert b"\nset-cookie" not in received.replace(b"\r", b"\n")


NO_PARTS: dict[str, Part] = {
    "an interim status": Reply(100, [], b""),
    "a status of two digits": Reply(99, [], b""),
    "a status of four digits": Reply(1000, [], b""),
    "a negative status": Reply(-200, [], b""),
    "a failure in two lines": Failure("target-refused", "two\nlines"),
    "a long failure": Failure("target-refused", "long" * 1000),
    "a failure whose name is two lines": Failure("two\r\nlines", ""),
    "a mailbox of two lines": Head(200, [], "two\r\nlines"),
    "a chunk before the first": Chunk(-1, memoryview(b"")),
    "an end before the first": End(-1),
}


@pytest.mark.parametrize("part", NO_PARTS.values(), ids=NO_PARTS)
def test_a_frame_that_is_none_is_dropped(held_back: Stack, part: Part) -> None:
    """A frame that no worker sends is dropped, and the client gets the answer after it."""
    received = forge(held_back, part, Reply(200, [], b"the answer"))
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"\r\n\r\nthe answer")


def test_a_failure_that_nobody_knows(held_back: Stack) -> None:
    """A failure of an unknown type becomes a 500 of the gateway, with the text of the failure in quotes."""
    received = forge(held_back, Failure('"x', 'a "quoted" \\ word'))
    assert received.startswith(b"HTTP/1.1 500 ")
    assert received.count(b"\r\n\r\n") == 1


def test_many_forged_frames_cross_no_clients(held_back: Stack) -> None:
    """Forged frames for unknown ids, for other spellings of ids, and repeated ones: each client gets its own answer."""
    paths = [f"/queued/{number}" for number in range(8)]
    inbox = keys.inbox(gateway_of(held_back))
    with ThreadPoolExecutor(len(paths)) as threads:
        asking = []
        for number, path in enumerate(paths, 1):
            asking.append(threads.submit(held_back.client.get, path))
            wait_until("it is queued", lambda number=number: held_back.redis.llen(HIGH) == number)  # type: ignore[misc]
        ids = [job_id.decode() for job_id in held_back.redis.lrange(HIGH, 0, -1)]
        for job_id, other, path in zip(ids, ids[1:] + ids[:1], paths, strict=True):
            wrong = Reply(200, [], b"not " + path.encode())
            near = (job_id.upper(), job_id + " ", job_id[:-1], "", "*", job_id + other, uuid4().hex)
            strays = [Frame(name, part) for name in near for part in (wrong, End(0), Chunk(0, memoryview(b"x")))]
            answers = [Frame(job_id, Reply(200, [], path.encode())), Frame(job_id, wrong)]
            held_back.redis.rpush(inbox, *map(encode, [*strays, *answers]))
        assert [answer.result(60).text for answer in asking] == paths
    held_back.redis.delete(HIGH, *map(keys.job, ids))


@pytest.mark.parametrize("key", [HIGH, keys.WAKE_UP, keys.started("high"), keys.failed("low"), keys.DEPLOYMENT])
def test_a_key_of_the_wrong_type_ends_no_process(serving: Stack, key: str) -> None:
    """While a key has a wrong type, requests get an answer; as soon as it is removed, they are served again."""
    serving.redis.delete(key)
    serving.redis.hset(key, "not", "what it should be")
    assert serving.client.get("/queued", timeout=20).status_code in (200, 502, 503)
    serving.redis.delete(key)
    wait_until("it serves again", lambda: serving.client.get("/queued").status_code == 200)
    assert all(process.poll() is None for process in serving.processes.values())
