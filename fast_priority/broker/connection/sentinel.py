"""The address of the master, from Sentinels. All are asked at once, because a client waits for the answer.

redis-py asks one after the other, so two Sentinels that do not answer would use up all the time.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

DISCOVERY_SECONDS = 1.0
"""How long all Sentinels together have to answer."""

Host = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The Sentinels that know a master, and the options to connect to them."""

    hosts: tuple[Host, ...]
    master_name: str
    options: dict[str, Any] = field(repr=False)
    """redis-py's keyword arguments, without host and port."""


class Discovery:
    """Replaces redis-py's Sentinel client: a connection pool uses only this method of it."""

    def __init__(self, sentinels: Sentinels) -> None:
        self._sentinels = sentinels

    async def discover_master(self, service_name: str) -> Host:
        """Return host and port of the live master that the first Sentinel to know one names.

        Raises MasterNotFoundError, a ConnectionError of redis-py, within a second.
        """
        asked = [asyncio.create_task(self._ask(host, service_name)) for host in self._sentinels.hosts]
        problems: list[str] = []
        try:
            async with asyncio.timeout(DISCOVERY_SECONDS):
                for answer in asyncio.as_completed(asked):
                    found = await _or_problem(answer, problems)
                    if found is not None:
                        return found
        except TimeoutError:
            problems.append(f"no answer within {DISCOVERY_SECONDS:g} s")
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise MasterNotFoundError(f"no Sentinel knows a live master {service_name!r}: {'; '.join(problems)}")

    async def _ask(self, host: Host, service_name: str) -> Host:
        address = f"{host[0]}:{host[1]}"
        try:
            async with Redis(
                host=host[0],
                port=host[1],
                **self._sentinels.options,
                socket_connect_timeout=DISCOVERY_SECONDS,
                socket_timeout=DISCOVERY_SECONDS,
                retry=Retry(NoBackoff(), 0),
            ) as sentinel:
                masters: dict[str, Any] = await sentinel.sentinel_masters()  # type: ignore[assignment]
        except (RedisError, OSError) as error:
            raise MasterNotFoundError(f"{address}: {error}") from None
        state = masters.get(service_name)
        if state is None:
            raise MasterNotFoundError(f"{address} does not know the master")
        if not state["is_master"] or state["is_sdown"] or state["is_odown"]:
            raise MasterNotFoundError(f"{address} says that the master is down")
        return str(state["ip"]), int(state["port"])


async def _or_problem(answer: "asyncio.Future[Host] | Coroutine[Any, Any, Host]", problems: list[str]) -> Host | None:
    try:
        return await answer
    except MasterNotFoundError as error:
        problems.append(str(error))
        return None
