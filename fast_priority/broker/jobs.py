"""Requests as rq jobs, and rq jobs as requests.

rq pickles a job's function name and arguments. Written here, that pickle holds a name and bytes. Read here, it is not
unpickled but compared with what we write, so that whoever can write to Redis cannot make a worker run anything.
"""

import pickle
import pickletools
import zlib
from datetime import UTC, datetime
from itertools import islice
from os import urandom
from typing import Any, Final

from redis import Redis
from rq.job import Job, JobStatus
from rq.utils import utcformat

from fast_priority.broker import keys

FORWARD: Final = "fast_priority.job.forward"
"""The one function a job may name; a stock rq worker imports and calls it."""
_PICKLE_PROTOCOL = 5
_NAME_AND_NONE = b"".join(
    (pickle.SHORT_BINUNICODE, bytes([len(FORWARD)]), FORWARD.encode(), pickle.MEMOIZE, pickle.NONE)
)
_SIZE_BYTES_OF = {pickle.SHORT_BINBYTES: 1, pickle.BINBYTES: 4, pickle.BINBYTES8: 8}
_LONGEST_HEAD_BYTES = 64
_LONGEST_NAME_SHOWN = 80
_MOST_OPCODES = 1000
_NO_TIMEOUT = -1  # rq's word for it: a body may flow for longer than any limit, and who is silent is given up by us


class NotOurJob(ValueError):
    """A job on the queue that is no request of a gateway; its text says why."""


class WriteOnlySerializer:
    """An rq serializer (rq.serializers.Serializer) that pickles as rq does and never unpickles.

    A worker that reads nothing of what rq's pickles hold cannot be made to run what they name.
    """

    @staticmethod
    def dumps(value: Any, /) -> bytes:
        """Pickle as rq does."""
        return pickle.dumps(value, protocol=_PICKLE_PROTOCOL)

    @staticmethod
    def loads(data: bytes, /) -> Any:
        """Refuse."""
        raise NotOurJob("a PriorityWorker unpickles nothing")


class JobTemplate:
    """Makes rq jobs for `forward`, all alike but for id, payload, description and time.

    What is alike is written once, by rq's own `Job.create` and `Job.to_dict`; only what differs is made per request.
    """

    def __init__(self, ttl_seconds: int) -> None:
        job = Job.create(
            FORWARD,
            args=(b"",),
            connection=Redis(),  # rq wants one; nothing is sent on it
            result_ttl=0,
            failure_ttl=keys.FAILED_TTL_SECONDS,
            ttl=ttl_seconds,
            timeout=_NO_TIMEOUT,
            description="-",
            status=JobStatus.QUEUED,
            serializer=WriteOnlySerializer,
        )
        varying = {"data", "created_at", "enqueued_at", "description", "origin"}
        self.constant_fields: list[str | int | float] = [
            part
            for name, value in job.to_dict().items()
            if name not in varying and value != ""  # rq takes a field that is empty for one that is not there
            for part in (name, value)
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
    return urandom(16).hex()


def payload_of(data: bytes, max_bytes: int) -> bytes:
    """Give the payload of a job for `forward` from its `data`. Raises NotOurJob, with the reason, for every other job.

    Nothing is unpickled: the payload is cut out at the place where `JobTemplate.data` puts it, and the data counts only
    if it is, byte for byte, what that function writes for this payload. `max_bytes` bounds what compressed data may
    unfold to.
    """
    if data[:1] != pickle.PROTO:  # rq itself, as in `rq requeue`, writes it compressed
        data = _decompressed(data, max_bytes)
    payload = _payload_where_it_should_be(data)
    if payload is None or JobTemplate.data(payload) != data:
        raise NotOurJob(_why_not(data))
    return payload


def _payload_where_it_should_be(data: bytes) -> bytes | None:
    name_at = data.find(_NAME_AND_NONE, 0, _LONGEST_HEAD_BYTES)
    if name_at < 0:
        return None
    opcode_at = name_at + len(_NAME_AND_NONE)
    size_bytes = _SIZE_BYTES_OF.get(data[opcode_at : opcode_at + 1])
    if size_bytes is None:
        return None
    start = opcode_at + 1 + size_bytes
    return data[start : start + int.from_bytes(data[opcode_at + 1 : start], "little")]


def _why_not(data: bytes) -> str:
    """Say what is wrong with a pickle, from its opcodes; none of them is carried out."""
    words: list[str] = []
    try:
        for opcode, argument, _ in islice(pickletools.genops(data), _MOST_OPCODES):
            if opcode.name in ("GLOBAL", "INST"):
                return f"its pickle names {_shortened(str(argument).replace(' ', '.'))}, and no names are taken"
            if opcode.name == "STACK_GLOBAL":
                return f"its pickle names {_shortened('.'.join(words[-2:]))}, and no names are taken"
            if opcode.name in ("PERSID", "BINPERSID"):
                return "its pickle has a persistent id, and none are taken"
            if isinstance(argument, str):
                words.append(argument)
    except Exception as error:
        # Reading bad bytes raises nearly anything; here all of it means the same.
        return f"its pickle cannot be read: {type(error).__name__}"
    if words and words[0] != FORWARD:
        return f"it asks for {_shortened(words[0])!r}, and only {FORWARD} is run"
    return f"its arguments are not those of {FORWARD}"


def _shortened(name: str) -> str:
    return name[:_LONGEST_NAME_SHOWN]


def _decompressed(data: bytes, max_bytes: int) -> bytes:
    unfold = zlib.decompressobj()
    try:
        plain = unfold.decompress(data, max_bytes)
    except zlib.error as error:
        raise NotOurJob("its data is neither a pickle nor compressed") from error
    if unfold.unconsumed_tail:
        raise NotOurJob(f"its data unfolds to more than {max_bytes} bytes")
    return plain
