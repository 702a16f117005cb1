"""Requests as rq jobs, and rq jobs as requests.

rq pickles a job's function name and arguments. Written here, that pickle holds a name and bytes. Read here, it is read
by an unpickler that knows no names at all, so that whoever can write to Redis still cannot make a worker run anything.
"""

import io
import pickle
import zlib
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from redis import Redis
from rq.job import Job, JobStatus
from rq.utils import utcformat

from fast_priority.broker import keys

FORWARD: Final = "fast_priority.job.forward"
"""The one function a job may name; a stock rq worker imports and calls it."""
_PICKLE_PROTOCOL = 5
_STOCK_TIMEOUT_GRACE_SECONDS = 10  # a stock worker's death penalty comes after the target's own timeout


class NotOurJob(ValueError):
    """A job on the queue that is no request of a gateway; its text says why."""


class NoGlobals(pickle.Unpickler):
    """Reads plain values and refuses everything that names code."""

    def find_class(self, module: str, name: str) -> Any:
        """Refuse."""
        raise NotOurJob(f"its pickle names {module}.{name}, and no names are taken")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse."""
        raise NotOurJob("its pickle has a persistent id, and none are taken")


class PlainSerializer:
    """An rq serializer (rq.serializers.Serializer) that writes rq's pickles and reads only plain values."""

    @staticmethod
    def dumps(value: Any, /) -> bytes:
        """Pickle as rq does."""
        return pickle.dumps(value, protocol=_PICKLE_PROTOCOL)

    @staticmethod
    def loads(data: bytes, /) -> Any:
        """Unpickle plain values. Raises NotOurJob for anything else."""
        try:
            return NoGlobals(io.BytesIO(data)).load()
        except NotOurJob:
            raise
        except Exception as error:
            # An unpickler fed with bad bytes raises nearly anything; here all of it means the same.
            raise NotOurJob(f"its pickle cannot be read: {type(error).__name__}") from error


class JobTemplate:
    """Makes rq jobs for `forward`, all alike but for id, payload, description and time.

    What is alike is written once, by rq's own `Job.create` and `Job.to_dict`; only what differs is made per request.
    """

    def __init__(self, ttl_seconds: int, timeout_seconds: float) -> None:
        job = Job.create(
            FORWARD,
            args=(b"",),
            connection=Redis(),  # rq wants one; nothing is sent on it
            result_ttl=0,
            failure_ttl=keys.FAILED_TTL_SECONDS,
            ttl=ttl_seconds,
            timeout=int(timeout_seconds) + _STOCK_TIMEOUT_GRACE_SECONDS,
            description="-",
            status=JobStatus.QUEUED,
            serializer=PlainSerializer,
        )
        varying = {"data", "created_at", "enqueued_at", "description", "origin"}
        self.constant_fields: list[str | int | float] = [
            part for name, value in job.to_dict().items() if name not in varying for part in (name, value)
        ]

    @staticmethod
    def data(payload: bytes) -> bytes:
        """Give the job's `data`: rq's pickle of the call, uncompressed, which rq reads as well as compressed."""
        return pickle.dumps((FORWARD, None, (payload,), {}), protocol=_PICKLE_PROTOCOL)

    @staticmethod
    def now() -> str:
        """Give the present as rq writes times."""
        return utcformat(datetime.now(UTC))


def new_job_id() -> str:
    """Make an id that nobody can guess."""
    return str(uuid4())


def payload_of(data: bytes, max_bytes: int) -> bytes:
    """Give the payload of a job for `forward` from its `data`. Raises NotOurJob for every other job.

    `max_bytes` bounds what compressed data may unfold to.
    """
    if data[:1] != pickle.PROTO:  # rq itself, as in `rq requeue`, writes it compressed
        data = _decompressed(data, max_bytes)
    call = PlainSerializer.loads(data)
    match call:
        case (str(name), None, (bytes(payload),), {} as kwargs) if not kwargs:
            if name != FORWARD:
                raise NotOurJob(f"it asks for {name[:80]!r}, and only {FORWARD} is run")
            return payload
        case (str(name), *_) if name != FORWARD:
            raise NotOurJob(f"it asks for {name[:80]!r}, and only {FORWARD} is run")
        case _:
            raise NotOurJob(f"its arguments are not those of {FORWARD}")


def _decompressed(data: bytes, max_bytes: int) -> bytes:
    unfold = zlib.decompressobj()
    try:
        plain = unfold.decompress(data, max_bytes)
    except zlib.error as error:
        raise NotOurJob("its data is neither a pickle nor compressed") from error
    if unfold.unconsumed_tail:
        raise NotOurJob(f"its data unfolds to more than {max_bytes} bytes")
    return plain
