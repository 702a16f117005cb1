"""Gateways and workers on a real Redis, compared with the model."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar
from unittest import mock

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from fast_priority.broker import keys, times
from fast_priority.broker.connection import connect, redis_options
from fast_priority.broker.consumer import Consumer, Leases
from fast_priority.broker.jobs import payload_of
from fast_priority.broker.known_lanes import KnownLanes
from fast_priority.broker.levels_in_force import LevelsInForce
from fast_priority.broker.producer import Submitter, inbox
from fast_priority.broker.producer.streams import Stream
from fast_priority.errors import RequestLost
from fast_priority.http.message import Reply
from fast_priority.scheduling.level_table import FixedTable, LevelLimits, LevelTable
from fast_priority.scheduling.priority import Priority
from fast_priority.settings import Settings
from fast_priority.support.background import end_all
from tests.attempts import ask_in_two_attempts
from tests.integration.broker.broker_model import IDEMPOTENT, LEVELS, MOST_QUEUED, Client, Gateway, Model, Worker
from tests.replacing import replaced

_GATEWAYS = _WORKERS = 2
_PATIENCE_SECONDS = 15
_POLL_SECONDS = 0.03  # ten looks are longer than the pause after a failed read

Result = TypeVar("Result")

TABLE = LevelTable(LEVELS, {}, LevelLimits(MOST_QUEUED, Settings.load().ttl))


class World(Model):
    """Two gateways and two workers."""

    def __init__(self, redis_port: int) -> None:
        super().__init__()
        self.redis: Any = Redis(port=redis_port)
        self.redis.flushall()
        self._loop = asyncio.new_event_loop()
        chosen = {"redis_port": redis_port}
        self._settings = Settings.load().model_copy(
            update={**chosen, "redis_host": "127.0.0.1", "poll_interval": _POLL_SECONDS}
        )
        self._worker_number = 0
        self._connections: list[AsyncRedis] = []
        self.gateways = [self.new_gateway() for _ in range(_GATEWAYS)]
        self.workers = [self.new_worker() for _ in range(_WORKERS)]

    def close(self) -> None:
        """Close everything, without a check."""
        self.run(end_all(asyncio.all_tasks(self._loop)))
        self.run(_disconnect(self._connections))
        self._loop.close()
        self.redis.flushall()
        self.redis.close()

    # Gateways, workers and clients.

    def new_gateway(self) -> Gateway:
        made: list[AsyncRedis] = []

        def remembering(*arguments: Any) -> AsyncRedis:
            made.append(connect(*arguments))
            return made[-1]

        with replaced(connect, remembering):
            submitter = Submitter(self._settings, levels=LevelsInForce(FixedTable(TABLE)))
        self._connections += made
        self.run(submitter.__aenter__())
        gateway = Gateway(submitter, made)
        self.until("its sign of life is there", lambda: bool(self.redis.exists(keys.gateway(submitter.gateway_id))))
        return gateway

    def new_worker(self) -> Worker:
        self._worker_number += 1
        name = f"worker-{self._worker_number}"
        options = redis_options(self._settings)
        return Worker(name, Consumer(options, name, lanes := KnownLanes(LEVELS)), Leases(options, name, lanes))

    def new_client(self, gateway: Gateway, method: str, priority: Priority) -> Client:
        client = Client(b"request %d" % len(self.clients), method, priority, gateway)
        client.task = self._loop.create_task(_ask(client))
        self.clients.append(client)
        return client

    def cut_off(self, gateway: Gateway) -> None:
        """Cut a gateway off from Redis, and end it."""
        self.run(_cut_off(gateway.connections))
        gateway.lives = False
        for client in self.clients:
            if client.gateway is gateway:
                client.task.cancel()
        self.run(gateway.submitter.__aexit__())

    def close_worker(self, worker: Worker) -> None:
        self.run(worker.consumer.close())
        self.run(worker.leases.close())

    def show_life(self) -> None:
        """Renew the sign of life of each gateway."""
        for gateway in self.gateways:
            self.redis.set(keys.gateway(gateway.submitter.gateway_id), "1", px=times.GATEWAY_TTL_MILLISECONDS)

    @contextlib.contextmanager
    def another_server(self) -> Iterator[None]:
        """Let all gateways see a new server, as after a restart; within the block they give workers time."""
        for gateway in self.gateways:
            gateway.submitter._inbox._health.server = b"another"
        with mock.patch.object(inbox, "_WORKERS_ARE_BACK_SECONDS", float("inf")):
            yield

    # Results.

    def settle_lost(self, lost: Sequence[Client], error: type[Exception] = RequestLost) -> None:
        """Wait until gateways have decided about these, as the model does: queued again in front, or an error."""
        old_ids = {client.job_id for client in lost if client.waits}
        again, failing = self.lose(lost, error)
        for client in failing:
            self.fails_with(client, error)
        self.until("lost requests are queued again, or not", lambda: self._is_queued_as_in_model(old_ids))
        for priority, queue in self.queues.items():
            self._adopt_order(priority, [client for client in queue if client in again], in_order=error is RequestLost)

    def _adopt_order(self, priority: Priority, again: list[Client], *, in_order: bool) -> None:
        """Adopt the order of requests of two gateways, which is undefined. Those of one gateway keep their order."""
        labels = [self.label_of(job_id) for job_id in self.ids_on(priority)[: len(again)]]
        found = sorted(again, key=lambda client: labels.index(client.label))
        for gateway in self.gateways if in_order else ():
            assert [client for client in found if client.gateway is gateway] == [
                client for client in again if client.gateway is gateway
            ], "requests that are queued again have changed their order"
        self.queues[priority][: len(again)] = found
        self.note_ids()

    def note_ids(self) -> None:
        for priority, queue in self.queues.items():
            for client, job_id in zip(queue, self.ids_on(priority), strict=True):
                client.job_id = job_id

    def fails_with(self, client: Client, error: type[Exception]) -> None:
        client.may_fail = True
        self.until(f"{client.label!r} fails", client.task.done)
        # A second attempt that was not sent is answered with the error of the first.
        assert isinstance(client.task.exception(), RequestLost if issubclass(error, RequestLost) else error)

    def queues_fit(self) -> bool:
        return all(len(self.ids_on(priority)) == len(queue) for priority, queue in self.queues.items())

    def _is_queued_as_in_model(self, old_ids: set[str]) -> bool:
        ids = {priority: self.ids_on(priority) for priority in LEVELS}
        return self.queues_fit() and all(
            not old_ids.intersection(ids[priority])
            and {client.label for client in queue} <= {self.label_of(job_id) for job_id in ids[priority]}
            for priority, queue in self.queues.items()
        )

    # Tools.

    def ids_on(self, priority: Priority) -> list[str]:
        return [job_id.decode() for job_id in self.redis.lrange(keys.queue(priority), 0, -1)]

    def label_of(self, job_id: str) -> bytes | None:
        data = self.redis.hget(keys.job(job_id), "data")
        return None if data is None else payload_of(data, 1024)

    def until(self, what: str, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while not condition():
                    await asyncio.sleep(0.001)

        try:
            self.run(wait())
        except TimeoutError:
            raise AssertionError(f"it never happened that {what}") from None

    def run(self, doing: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(doing)


async def _ask(client: Client) -> bytes:
    outcome = await ask_in_two_attempts(
        client.gateway.submitter, client.priority, client.label, is_idempotent=client.method == IDEMPOTENT
    )
    if isinstance(outcome, Reply):
        return outcome.body
    assert isinstance(outcome, Stream)
    with contextlib.closing(outcome):
        client.read = []
        async for chunk in outcome.chunks():
            client.read.append(bytes(chunk))
    return b"".join(client.read)


async def _cut_off(connections: Sequence[AsyncRedis]) -> None:
    """Cut connections off from Redis, as when a process is killed."""

    async def no_connection(*_: Any, **__: Any) -> Any:
        raise RedisConnectionError("killed")

    for redis in connections:
        redis.connection_pool.get_connection = no_connection  # type: ignore[method-assign]
    await _disconnect(connections)


async def _disconnect(connections: Sequence[AsyncRedis]) -> None:
    for redis in connections:
        await redis.connection_pool.disconnect(inuse_connections=True)
    await asyncio.sleep(0)  # the transports close in the next turn
