"""What a Redis server says of itself: its version, and whether it may drop our keys when its memory is full."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis

from fast_priority.broker.connection.pipeline import Command, send_together

_VERSION = re.compile(r"[0-9][\w.+-]{0,31}", re.ASCII)
_POLICY = re.compile(r"[a-z][a-z-]{2,31}")
_BYTES = re.compile(r"[0-9]{1,20}")
_INFO: tuple[Command, ...] = (("INFO", "server"), ("INFO", "memory"))
_CONFIG: tuple[Command, ...] = (("CONFIG", "GET", "maxmemory"), ("CONFIG", "GET", "maxmemory-policy"))
_MOST_BYTES_OF_INFO = 64 * 1024


class ServerFacts(NamedTuple):
    """What is known of a server. A server may hide each of these."""

    version: str | None = None
    policy: str | None = None
    """What it drops when its memory is full (`maxmemory-policy`)."""
    most_bytes: int | None = None
    """Its limit of memory (`maxmemory`); 0 for none."""

    @property
    def warning(self) -> str | None:
        """What is wrong with its settings, as a sentence; None if nothing is, or they are hidden.

        Without a limit of memory nothing is ever dropped, whatever the policy is.
        """
        if self.policy in (None, "noeviction") or not self.most_bytes:
            return None
        return (
            f"Redis may drop requests that wait, and responses on their way, when its memory is full: "
            f"its maxmemory-policy is {self.policy}; set it to noeviction"
        )

    def completed(self, most: Any, policy: Any) -> "ServerFacts":
        """Return the facts with the answers to CONFIG GET of maxmemory and of maxmemory-policy."""
        return self._with_limit(_pairs(policy).get("maxmemory-policy", ""), _pairs(most).get("maxmemory", ""))

    def _with_limit(self, policy: str, most: str) -> "ServerFacts":
        return self._replace(
            policy=policy if _POLICY.fullmatch(policy) else None,
            most_bytes=int(most) if _BYTES.fullmatch(most) else None,
        )


async def read_server_facts(redis: Redis) -> ServerFacts:
    """Ask a server for its facts. Raises what `send_together` raises."""
    facts = facts_of(*await send_together(redis, _INFO))
    # CONFIG is forbidden to most users, and each refusal is noted in ACL LOG.
    return facts if facts.policy else facts.completed(*await send_together(redis, _CONFIG))


def read_server_facts_now(ask: Callable[[Command], Any]) -> ServerFacts:
    """Return the facts of a server; `ask` blocks, and returns the answer to one command, or the error of a refusal."""
    facts = facts_of(*map(ask, _INFO))
    return facts if facts.policy else facts.completed(*map(ask, _CONFIG))


def facts_of(server: Any, memory: Any) -> ServerFacts:
    """Return the facts in the answers to INFO server and INFO memory. What has not the usual form counts as hidden."""
    version, found = _pairs(server).get("redis_version", ""), _pairs(memory)
    facts = ServerFacts(version if _VERSION.fullmatch(version) else None)
    return facts._with_limit(found.get("maxmemory_policy", ""), found.get("maxmemory", ""))


def _pairs(answer: Any) -> dict[str, str]:
    """Return the names and values in the answer to INFO or CONFIG GET; nothing if it is an error."""
    if isinstance(answer, Mapping):
        return {_text(name): _text(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return dict(zip(map(_text, answer[::2]), map(_text, answer[1::2]), strict=False))
    if not isinstance(answer, bytes | str):
        return {}
    lines = _text(answer[:_MOST_BYTES_OF_INFO]).splitlines()
    return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
