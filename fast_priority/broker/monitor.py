"""The state of the queues: how much waits, who works, and when a refused client should try again.

One look at Redis serves all of that. A task looks every 2 s, and from those looks the monitor knows how fast all
workers together empty the queues. So `retry_after_seconds` needs no look of its own. A caller that needs a newer view,
such as a health check, waits for another look. A look also writes what is there already, because a Redis that answers
may refuse writes.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, NamedTuple

from redis.asyncio import Redis

from fast_priority.broker import keys, scripts, times
from fast_priority.broker.connection import (
    CONNECTION_ERRORS,
    Command,
    RedisOutage,
    ServerFacts,
    connect,
    problem_of,
    read_server_facts,
    redis_options,
    send_together,
)
from fast_priority.broker.job_ages import oldest_seconds
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.broker.other_versions import (
    JOB_FIELDS,
    STOCK_WORKER,
    WORKER_FIELDS,
    QueuedJob,
    WorkerRecord,
    about_unserved,
    warnings_of,
)
from fast_priority.scheduling.drain_rate import DrainRate, retry_after_seconds
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all
from fast_priority.support.notices import Notices
from fast_priority.support.outage_log import OutageLog

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
_FACTS_SECONDS = 10.0
_JITTER = 0.2
_MOST_DIGITS = 16  # of a number in a record, which anybody who reaches Redis may have written
_LOOKING = "cannot look at the queues"


class QueueView(NamedTuple):
    """The state of the queues at one moment."""

    waiting: dict[Priority, int]
    """Requests that wait, by priority."""
    started: int
    """Requests that workers, and gateways with slots, have in flight."""
    workers: int
    """Live worker processes, stock rq workers included, and live gateways with slots."""
    slots: int
    """The most queued requests that the target receives at once: one per stock worker, its slots per PriorityWorker."""
    suspended: bool
    """Whether `rq suspend` holds the workers back."""
    warnings: tuple[str, ...] = ()
    """What is wrong and stops nothing: jobs and workers of other versions or programs, and what workers warn of."""
    refusal: str | None = None
    """Why Redis refuses writes, in words; None if it takes them."""
    server: ServerFacts = ServerFacts()
    foreign_workers: int = 0
    """Live stock workers that only fail, as those of another program do: they count neither as workers nor as slots."""
    in_flight: Mapping[Priority, int] = MappingProxyType({})
    """Those of `started`, by priority."""
    oldest_seconds: Mapping[Priority, float] = MappingProxyType({})
    """How long the oldest of the first waiting requests has waited, by priority; 0 if none waits."""
    round_trip_seconds: float = 0.0
    """How long Redis took to answer the first commands of the look."""


class _Look(NamedTuple):
    """What one look at Redis has found."""

    began_at: float
    view: QueueView
    ended: dict[str, int]
    """How many requests each worker has ended in its life, by the worker's key."""


class QueueMonitor:
    """Looks at the queues for one gateway. Use it as an async context manager: inside the block it looks every 2 s.

    What it finds wrong with Redis it notes in `outage`. It looks at the `lanes` of the gateway.
    """

    def __init__(self, settings: Settings, outage: RedisOutage | None = None, lanes: KnownLanes | None = None) -> None:
        self._lanes = lanes or KnownLanes(settings.level_table().levels)
        self._redis: Redis = connect(redis_options(settings))
        self._outage = outage or RedisOutage(logger)
        self._looks, self._writes = self._outage.of(_LOOKING), self._outage.of("cannot register the queues")
        self._failed_because: str | None = None
        self._facts, self._facts_at = ServerFacts(), float("-inf")
        self._rate = DrainRate()
        self._notices = Notices(logger)
        self._on_workers: set[str] = set()
        self._without_workers = OutageLog("no worker is alive", logger)
        self._last: _Look | None = None
        self._one_at_a_time = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "QueueMonitor":
        self._looking = self._outage.keep_doing(_LOOKING, self._look_and_wait, _LOOK_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._looking is not None:
            await end_all([self._looking])
        await self._redis.aclose()

    async def view(self, max_age_seconds: float = 0.0) -> QueueView | None:
        """Return the state of the queues, at most so old when this is called; None if Redis does not answer.

        Callers that wait at the same time share a look.
        """
        try:
            return (await self._look_since(time.monotonic() - max_age_seconds)).view
        except CONNECTION_ERRORS:
            return None

    @property
    def last_view(self) -> QueueView | None:
        """The state of the queues, as the last look has found it, at most some seconds ago; None if that failed."""
        return self._last.view if self._last is not None and self._failed_because is None else None

    @property
    def problem(self) -> str | None:
        """What is wrong with Redis, in words, by the last look and by what other tasks were refused since."""
        refusal = self._last.view.refusal if self._last is not None else None
        return self._failed_because or refusal or self._outage.refusal

    def retry_after_seconds(self, priority: Priority | None = None) -> int:
        """Return the seconds, 1 to 60, until the requests that wait now ahead of a new one have likely been served.

        `priority` is that of the new request; None is the last level. Each call adds or subtracts up to a fifth at
        random, so that clients that were refused together come back apart.
        """
        ahead = 0
        for level in self._lanes.current.priorities:
            ahead += self._last.view.waiting.get(level, 0) if self._last is not None else 0
            if level == priority:
                break
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - to guess it is of no use to anyone
        return retry_after_seconds(ahead, self._rate.per_second(), jitter)

    async def _look_and_wait(self) -> None:
        await self._look_and_note()
        await asyncio.sleep(_LOOK_SECONDS)

    async def _look_and_note(self) -> None:
        """Look at the queues, and note for the drain rate how many requests have ended."""
        look = await self._look_since(time.monotonic())
        self._rate.note(look.ended, look.began_at)

    async def _look_since(self, earliest: float) -> _Look:
        """Return a look that began at this time, by `time.monotonic`, or later."""
        async with self._one_at_a_time:
            if self._last is None or self._last.began_at < earliest:
                try:
                    self._last = await self._look()
                except CONNECTION_ERRORS as error:
                    self._failed_because = problem_of(error).words
                    raise
                self._failed_because = None
            return self._last

    async def _refusal(self) -> str | None:
        """Write what is there already. Return why Redis refuses that, in words; None if it does not."""
        try:
            (answer,) = await send_together(self._redis, [("SADD", keys.QUEUES, *self._lanes.current.queues)])
        except CONNECTION_ERRORS as error:  # a replica: the connection to it is closed
            if not problem_of(error).is_refusal:
                raise
            answer = error
        if isinstance(answer, Exception) and not scripts.is_wrong_type(answer):
            self._writes.failure(answer)
            return problem_of(answer).words
        self._outage.note_write()
        self._writes.recovered()
        return None

    async def _read_facts(self) -> ServerFacts:
        """Return the facts of the server, at most 10 s old. Log them when they are new."""
        if time.monotonic() - self._facts_at > _FACTS_SECONDS:
            before, self._facts = self._facts, await read_server_facts(self._redis)
            self._facts_at = time.monotonic()
            if self._facts.version not in (None, before.version):
                logger.info("Redis has version %s", self._facts.version)
            if self._facts.warning not in (None, before.warning):
                logger.warning("%s", self._facts.warning)
        return self._facts

    async def _look(self) -> _Look:
        began_at, lanes = time.monotonic(), self._lanes.current
        count = len(lanes.names)
        answers = await self._ask(
            [
                *(("LLEN", key) for key in lanes.queues),
                *(("ZCARD", key) for key in lanes.started),
                *(("SMEMBERS", key) for key in lanes.workers),
                *(("LRANGE", key, 0, times.MOST_PASSED_OVER - 1) for key in lanes.queues),
                ("EXISTS", keys.SUSPENDED),
            ]
        )
        round_trip_seconds = time.monotonic() - began_at
        waiting, started, registers, ids = (answers[at * count : (at + 1) * count] for at in range(4))
        workers, heads = await self._read_records(sorted(set().union(*registers)), ids)
        living = [worker for worker in workers if worker.is_alive]
        slots = [_number(worker.slots) or 1 for worker in living if not worker.is_foreign]
        warnings = warnings_of(dict(zip(lanes.names, heads, strict=True)), workers)
        keys_of_living = {worker.key for worker in living}
        served = [not keys_of_living.isdisjoint(register) for register in registers]
        warnings |= about_unserved(lanes.names, waiting, served)
        self._log_warnings(warnings)
        self._log_want_of_workers(sum(waiting), len(slots))
        view = QueueView(
            waiting=dict(zip(lanes.priorities, waiting, strict=True)),
            started=sum(started),
            workers=len(slots),
            foreign_workers=len(living) - len(slots),
            slots=sum(slots),
            suspended=bool(answers[-1]),
            warnings=tuple(warnings.values()),
            refusal=await self._refusal(),
            server=await self._read_facts(),
            in_flight=dict(zip(lanes.priorities, started, strict=True)),
            oldest_seconds=dict(zip(lanes.priorities, map(oldest_seconds, heads), strict=True)),
            round_trip_seconds=round_trip_seconds,
        )
        ended = {
            worker.key.decode(errors="replace"): _number(worker.successful) + _number(worker.failed)
            for worker in workers
            if worker.successful or worker.failed  # else it has ended none, or its record was lost
        }
        return _Look(began_at, view, ended)

    def _log_warnings(self, warnings: Mapping[str, str]) -> None:
        # Workers have other names after each start. Those that are gone must not fill the list.
        for key in self._on_workers - warnings.keys():
            self._notices.forget(key)
        self._on_workers = {key for key in warnings if key.startswith(STOCK_WORKER)}
        for key, text in warnings.items():
            self._notices.note(key, text)

    def _log_want_of_workers(self, waiting: int, workers: int) -> None:
        if workers:
            self._without_workers.recovered()
        elif waiting:
            self._without_workers.failure(f"{waiting} waiting until one starts, or their TTL ends")

    async def _read_records(
        self, worker_keys: Sequence[bytes], ids: Sequence[Sequence[bytes]]
    ) -> tuple[list[WorkerRecord], list[list[QueuedJob]]]:
        """Return the records of the workers, and for each lane what is known of these jobs, in one round trip."""
        commands: list[Command] = [("HMGET", key, *WORKER_FIELDS) for key in worker_keys]
        job_keys = [keys.JOB_PREFIX.encode() + job_id for of_lane in ids for job_id in of_lane]
        commands += [("HMGET", key, *JOB_FIELDS) for key in job_keys]
        answers = await send_together(self._redis, commands) if commands else []
        records = _all_of(answers[: len(worker_keys)])
        workers = [WorkerRecord._make([*record, key]) for record, key in zip(records, worker_keys, strict=True)]
        jobs = iter(answers[len(worker_keys) :])
        # A job that is not a hash says nothing; the claim removes it.
        heads = [[QueuedJob(*job) for job in islice(jobs, len(of_lane)) if isinstance(job, list)] for of_lane in ids]
        return workers, heads

    async def _ask(self, commands: list[Command]) -> list[Any]:
        return _all_of(await send_together(self._redis, commands))


def _all_of(answers: list[Any]) -> list[Any]:
    """Return the answers. Raises the first of them that is an error."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _number(written: bytes | None) -> int:
    return int(written) if written is not None and written.isdigit() and len(written) < _MOST_DIGITS else 0
