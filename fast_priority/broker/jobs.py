"""Requests as rq jobs, and rq jobs as requests.

rq pickles a job's function name and arguments. The pickle that is written here holds a name and bytes. A pickle that is
read here is not unpickled: it is compared with what this module writes. So nobody who can write to Redis can make a
worker run code.
"""

import pickle
import pickletools
import zlib
from datetime import UTC, datetime
from itertools import islice
from os import urandom
from typing import Any, Final, NamedTuple

from redis import Redis
from rq.job import Job, JobStatus
from rq.utils import utcformat

from fast_priority.broker import times
from fast_priority.protocol.wire_version import WIRE_VERSION

FORWARD: Final = "fast_priority.job.forward"
"""The only function that a job may name. A stock rq worker imports and calls it."""
FUNCTION_OF_1X: Final = "fast_priority.utils.run_request"
"""The function that jobs of fast-priority 1.x name."""
_PICKLE_PROTOCOL = 5
_NAME_AND_NONE = b"".join(
    (pickle.SHORT_BINUNICODE, bytes([len(FORWARD)]), FORWARD.encode(), pickle.MEMOIZE, pickle.NONE)
)
_SIZE_BYTES_OF = {pickle.SHORT_BINBYTES: 1, pickle.BINBYTES: 4, pickle.BINBYTES8: 8}
_LONGEST_HEAD_BYTES = 64
_LONGEST_NAME_SHOWN = 80
_MOST_OPCODES = 1000
_FUNCTION_WITHIN_OPCODES = 8
_NO_TIMEOUT = -1  # as rq writes it: a body may take longer than any limit, and we have timeouts for inactivity


class NotOurJob(ValueError):
    """A job on the queue is not a request of a gateway. The text says why."""


class JobOf1x(NotOurJob):
    """A job on the queue is a request of a gateway of fast-priority 1.x."""


class Claim(NamedTuple):
    """A request that this process has started and must settle."""

    job_id: str
    execution_id: str
    queue_name: str
    gateway_id: str
    """'' when no gateway made the job."""
    data: bytes
    version: int = 1
    """The wire version of the job, in which the gateway expects the response."""


class WriteOnlySerializer:
    """An rq serializer (rq.serializers.Serializer) that pickles as rq does and never unpickles.

    A worker that never unpickles cannot be made to run what a pickle names.
    """

    @staticmethod
    def dumps(value: Any, /) -> bytes:
        """Pickle as rq does."""
        return pickle.dumps(value, protocol=_PICKLE_PROTOCOL)

    @staticmethod
    def loads(data: bytes, /) -> Any:
        """Raise NotOurJob."""
        raise NotOurJob("a PriorityWorker unpickles nothing")


class JobTemplate:
    """Makes rq jobs for `forward`, which differ only in id, payload, level, description and times.

    rq's `Job.create` and `Job.to_dict` write the common fields once. Each request adds only the others.
    """

    def __init__(self) -> None:
        job = Job.create(
            FORWARD,
            args=(b"",),
            connection=Redis(),  # rq requires one; nothing is sent on it
            result_ttl=0,
            failure_ttl=times.FAILED_TTL_SECONDS,
            timeout=_NO_TIMEOUT,
            description="-",
            status=JobStatus.QUEUED,
            serializer=WriteOnlySerializer,
        )
        varying = {"data", "created_at", "enqueued_at", "description", "origin", "ttl"}
        self.constant_fields: list[str | int | float] = [
            part
            for name, value in job.to_dict().items()
            if name not in varying and value != ""  # for rq, an empty field is the same as a missing one
            for part in (name, value)
        ]
        self.constant_fields += ["wire", WIRE_VERSION]

    @staticmethod
    def data(payload: bytes) -> bytes:
        """Return the job's `data`: rq's pickle of the call. It is not compressed; rq reads both forms."""
        return pickle.dumps((FORWARD, None, (payload,), {}), protocol=_PICKLE_PROTOCOL)

    @staticmethod
    def now() -> str:
        """Return the current time as rq writes it."""
        return utcformat(datetime.now(UTC))


def new_job_id() -> str:
    """Return a new id that cannot be guessed."""
    return urandom(16).hex()


def payload_of(data: bytes, max_bytes: int) -> bytes:
    """Return the payload of a job for `forward` from its `data`. Raises NotOurJob, with the reason, for other jobs.

    Nothing is unpickled. The payload is taken from the place where `JobTemplate.data` puts it, and is valid only if
    that function writes exactly this data for it. `max_bytes` limits the size of compressed data after decompression.
    """
    if data[:1] != pickle.PROTO:  # rq itself, as in `rq requeue`, writes it compressed
        data = _decompressed(data, max_bytes)
    payload = _payload_at_its_place(data)
    if payload is None or JobTemplate.data(payload) != data:
        raise _refusal(data, _why_not(data))
    return payload


def _payload_at_its_place(data: bytes) -> bytes | None:
    name_at = data.find(_NAME_AND_NONE, 0, _LONGEST_HEAD_BYTES)
    if name_at < 0:
        return None
    opcode_at = name_at + len(_NAME_AND_NONE)
    size_bytes = _SIZE_BYTES_OF.get(data[opcode_at : opcode_at + 1])
    if size_bytes is None:
        return None
    start = opcode_at + 1 + size_bytes
    return data[start : start + int.from_bytes(data[opcode_at + 1 : start], "little")]


def _refusal(data: bytes, reason: str) -> NotOurJob:
    return JobOf1x(reason) if _function_in(data) == FUNCTION_OF_1X else NotOurJob(reason)


def _function_in(data: bytes) -> str:
    """Return the function that a pickle of rq names; '' if it cannot be read. No opcode is carried out."""
    try:
        opcodes = islice(pickletools.genops(data), _FUNCTION_WITHIN_OPCODES)
        return next((argument for _, argument, _ in opcodes if isinstance(argument, str)), "")
    except Exception:
        return ""  # bad bytes can raise nearly any error


def _why_not(data: bytes) -> str:
    """Return what is wrong with a pickle, by its opcodes. None of them is carried out."""
    words: list[str] = []
    try:
        for opcode, argument, _ in islice(pickletools.genops(data), _MOST_OPCODES):
            if opcode.name in ("GLOBAL", "INST"):
                return f"its pickle names {_shortened(str(argument).replace(' ', '.'))}, and no names are accepted"
            if opcode.name == "STACK_GLOBAL":
                return f"its pickle names {_shortened('.'.join(words[-2:]))}, and no names are accepted"
            if opcode.name in ("PERSID", "BINPERSID"):
                return "its pickle has a persistent id, and none are accepted"
            if isinstance(argument, str):
                words.append(argument)
    except Exception as error:
        # Bad bytes can raise nearly any error, and each of them means the same here.
        return f"its pickle cannot be read: {type(error).__name__}"
    if words and words[0] != FORWARD:
        return f"it asks for {_shortened(words[0])!r}, and only {FORWARD} is run"
    return f"its arguments are not those of {FORWARD}"


def _shortened(name: str) -> str:
    return name[:_LONGEST_NAME_SHOWN]


def _decompressed(data: bytes, max_bytes: int) -> bytes:
    decompression = zlib.decompressobj()
    try:
        plain = decompression.decompress(data, max_bytes)
    except zlib.error as error:
        raise NotOurJob("its data is neither a pickle nor compressed") from error
    if decompression.unconsumed_tail:
        raise _refusal(plain, f"its decompressed data has more than {max_bytes} bytes")
    return plain
