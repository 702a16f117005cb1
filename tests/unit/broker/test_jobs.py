"""Requests as rq jobs and back: our jobs are read, and nothing in Redis can make a worker run other code."""

import io
import os
import pickle
import tracemalloc
import zlib
from typing import Any

import pytest
from fakeredis import FakeRedis
from hypothesis import given
from hypothesis import strategies as st
from rq.job import Job

from fast_priority.broker.jobs import FORWARD, JobOf1x, JobTemplate, NotOurJob, WriteOnlySerializer, payload_of

LIMIT = 10_000


def job_data(call: Any) -> bytes:
    return pickle.dumps(call, protocol=5)


class RunsCode:
    """An object whose pickle would change the working directory, if rq unpickled it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.chdir, ("/",)


class WithPersistentId(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return "elsewhere" if obj == b"payload" else None


@given(st.binary(max_size=LIMIT))
def test_payload_survives(payload: bytes) -> None:
    """The payload of a job is read as it was written."""
    assert payload_of(JobTemplate.data(payload), LIMIT) == payload


@given(st.binary(max_size=LIMIT // 2))
def test_compressed_payload(payload: bytes) -> None:
    """Data that rq itself wrote, and so compressed, is read as well."""
    assert payload_of(zlib.compress(JobTemplate.data(payload)), LIMIT) == payload


def test_as_rq_writes_it() -> None:
    """A job that rq's own Job.create wrote is read."""
    job = Job.create(FORWARD, args=(b"payload",), connection=FakeRedis(), serializer=WriteOnlySerializer)
    assert payload_of(job.to_dict()["data"], LIMIT) == b"payload"


def test_compressed_data_is_bounded() -> None:
    """Compressed data that decompresses to more than the limit is refused, however small it is."""
    small = zlib.compress(JobTemplate.data(b"\0" * 50 * LIMIT))
    assert len(small) < LIMIT
    with pytest.raises(NotOurJob, match=f"more than {LIMIT} bytes"):
        payload_of(small, LIMIT)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """Bytes that are not a job raise NotOurJob and no other error."""
    with pytest.raises(NotOurJob):
        payload_of(data, LIMIT)


@given(st.binary())
def test_any_pickle(data: bytes) -> None:
    """Bytes that begin like a pickle raise NotOurJob and no other error."""
    with pytest.raises(NotOurJob):
        payload_of(b"\x80\x05" + data, LIMIT)


@pytest.mark.parametrize("wrap", [bytes, zlib.compress], ids=["plain", "compressed"])
def test_pickle_that_names_code(wrap: type[bytes]) -> None:
    """A pickle that names a function is refused, with the name, and the function is not run."""
    before = os.getcwd()  # noqa: PTH109 - what os.chdir would change
    with pytest.raises(NotOurJob, match=r"names \w+\.chdir"):
        payload_of(wrap(job_data((FORWARD, None, (RunsCode(),), {}))), LIMIT)
    assert os.getcwd() == before  # noqa: PTH109


def test_pickle_with_a_class() -> None:
    """Even a harmless class is refused: no names are accepted."""
    with pytest.raises(NotOurJob, match=r"names collections\.OrderedDict"):
        payload_of(b"\x80\x02ccollections\nOrderedDict\n)R.", LIMIT)


def test_pickle_that_asks_for_memory() -> None:
    """A few bytes of pickle cannot make a worker take memory without limit."""
    puts_at = (2**22).to_bytes(4, "little")  # LONG_BINPUT: where an object is remembered
    tracemalloc.start()
    try:
        with pytest.raises(NotOurJob):
            payload_of(b"\x80\x05Nr" + puts_at + b".", LIMIT)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2**20


def test_pickle_with_a_persistent_id() -> None:
    """A pickle that refers to something elsewhere is refused."""
    file = io.BytesIO()
    WithPersistentId(file, protocol=5).dump((FORWARD, None, (b"payload",), {}))
    with pytest.raises(NotOurJob, match="persistent id"):
        payload_of(file.getvalue(), LIMIT)


@pytest.mark.parametrize("name", ["os.system", "fast_priority.job", "fast_priority.job.forward.x", ""])
def test_other_function(name: str) -> None:
    """A job for any other function is refused, and the reason names the function."""
    with pytest.raises(NotOurJob, match=f"asks for '{name}'"):
        payload_of(job_data((name, None, (b"payload",), {})), LIMIT)


@pytest.mark.parametrize(
    "call",
    [
        (FORWARD, None, ("text",), {}),
        (FORWARD, None, (), {}),
        (FORWARD, None, (b"one", b"two"), {}),
        (FORWARD, None, (b"payload",), {"more": 1}),
        (FORWARD, "an instance", (b"payload",), {}),
        (FORWARD, None, (b"payload",)),
        (None, None, (b"payload",), {}),
        [],
        b"payload",
        {"name": FORWARD},
    ],
)
def test_other_arguments(call: object) -> None:
    """A job with other arguments than one payload is refused."""
    with pytest.raises(NotOurJob):
        payload_of(job_data(call), LIMIT)


def test_serializer_refuses_everything() -> None:
    """Nothing is unpickled, so rq's own code cannot be made to run code from Redis."""
    for value in ({"plain": 1}, RunsCode()):
        with pytest.raises(NotOurJob):
            WriteOnlySerializer.loads(job_data(value))


def job_of_1x(content: bytes) -> dict[str, Any]:
    """Return a job as a gateway of fast-priority 1.x makes it."""
    call = {"method": "POST", "url": "http://api/x?y", "headers": {"accept": "*/*"}, "content": content}
    return Job.create("fast_priority.utils.run_request", kwargs=call, connection=FakeRedis()).to_dict()


@pytest.mark.parametrize("content", [b"", b"body", b"\0" * 50 * LIMIT])
@pytest.mark.parametrize("unwrap", [bytes, zlib.decompress], ids=["as rq writes it", "not compressed"])
def test_a_job_of_1x_is_known_as_such(content: bytes, unwrap: Any) -> None:
    """A job of fast-priority 1.x is refused as one, however large it is."""
    with pytest.raises(JobOf1x):
        payload_of(unwrap(job_of_1x(content)["data"]), LIMIT)


@pytest.mark.parametrize("function", ["builtins.print", "fast_priority.utils.run_requests", FORWARD, ""])
def test_other_jobs_are_not_of_1x(function: str) -> None:
    """A job for another function, or with other arguments, is not taken for one of 1.x."""
    with pytest.raises(NotOurJob) as raised:
        payload_of(job_data((function, None, ("fast_priority.utils.run_request",), {})), LIMIT)
    assert not isinstance(raised.value, JobOf1x)
