"""The identity of the deployment, which all gateways on one Redis share."""

from typing import Any

from redis.asyncio import Redis

from fast_priority.broker import keys, times
from fast_priority.broker.connection import Command, send_together
from fast_priority.http.via import IDENTITY_CHARACTERS, Deployment


def identity_steps(deployment: Deployment) -> list[Command]:
    """Return the commands that renew the identity in Redis, or write ours. `adopt_identity` takes the last answer."""
    key, ttl = keys.DEPLOYMENT, times.DEPLOYMENT_TTL_SECONDS
    return [
        ("SET", key, deployment.identity, "NX", "EX", ttl),
        ("EXPIRE", key, ttl),
        ("GETRANGE", key, 0, IDENTITY_CHARACTERS),  # one character more than an identity has, and never more than that
    ]


async def adopt_identity(redis: Redis, deployment: Deployment, written: Any) -> None:
    """Adopt the identity that `identity_steps` have found. If it cannot be an identity, write our own.

    If Redis refuses a step, because it has no memory or the key has the wrong type, the identity stays as it is. Raises
    what redis-py raises when Redis is away.
    """
    if not isinstance(written, bytes) or not deployment.adopt(written):
        key, ttl = keys.DEPLOYMENT, times.DEPLOYMENT_TTL_SECONDS
        await send_together(redis, [("SET", key, deployment.identity, "EX", ttl)])
