"""Asking Sentinels where the master is: all at once, for a client waits meanwhile.

redis-py asks one after the other, so that two that do not answer would take all the time there is.
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
"""What no Sentinel has answered by then is not known."""

Host = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Sentinels:
    """Which Sentinels know which master, and how they are spoken to."""

    hosts: tuple[Host, ...]
    master_name: str
    options: dict[str, Any] = field(repr=False)
    """redis-py's keyword arguments but for host and port."""


class Discovery:
    """Stands in for redis-py's own Sentinel client, of which a connection pool wants no more than this."""

    def __init__(self, sentinels: Sentinels) -> None:
        self._sentinels = sentinels

    async def discover_master(self, service_name: str) -> Host:
        """Give host and port of a master that a Sentinel holds for alive; the first that is named counts.

        Raises MasterNotFoundError, a ConnectionError of redis-py's, within a second.
        """
        asked = [asyncio.create_task(self._ask(host, service_name)) for host in self._sentinels.hosts]
        troubles: list[str] = []
        try:
            async with asyncio.timeout(DISCOVERY_SECONDS):
                for answer in asyncio.as_completed(asked):
                    found = await _or_trouble(answer, troubles)
                    if found is not None:
                        return found
        except TimeoutError:
            troubles.append(f"no answer within {DISCOVERY_SECONDS:g} s")
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise MasterNotFoundError(f"no Sentinel knows a live master {service_name!r}: {'; '.join(troubles)}")

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
            raise MasterNotFoundError(f"{address} does not know it")
        if not state["is_master"] or state["is_sdown"] or state["is_odown"]:
            raise MasterNotFoundError(f"{address} holds it for down")
        return str(state["ip"]), int(state["port"])


async def _or_trouble(answer: "asyncio.Future[Host] | Coroutine[Any, Any, Host]", troubles: list[str]) -> Host | None:
    try:
        return await answer
    except MasterNotFoundError as error:
        troubles.append(str(error))
        return None
