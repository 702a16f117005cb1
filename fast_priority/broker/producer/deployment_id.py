"""The identity of the deployment, which all gateways on one Redis share."""

from redis.asyncio import Redis

from fast_priority.broker import keys, times
from fast_priority.broker.connection import Command, send_together
from fast_priority.http.via import IDENTITY_CHARACTERS, Deployment


async def agree_on_identity(redis: Redis, deployment: Deployment) -> None:
    """Adopt the identity in Redis. If there is none, or the value cannot be an identity, write our own.

    If Redis refuses a step, because it has no memory or the key has the wrong type, the identity stays as it is. Raises
    what redis-py raises when Redis is away.
    """
    key, ttl = keys.DEPLOYMENT, times.DEPLOYMENT_TTL_SECONDS
    steps: list[Command] = [
        ("SET", key, deployment.identity, "NX", "EX", ttl),
        ("EXPIRE", key, ttl),
        ("GETRANGE", key, 0, IDENTITY_CHARACTERS),  # one character more than an identity has, and never more than that
    ]
    *_, written = await send_together(redis, steps)
    if not isinstance(written, bytes) or not deployment.adopt(written):
        await send_together(redis, [("SET", key, deployment.identity, "EX", ttl)])
