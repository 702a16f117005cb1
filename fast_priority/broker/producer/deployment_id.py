"""The identity of the deployment, which all gateways on one Redis share."""

from redis.asyncio import Redis

from fast_priority.broker import keys
from fast_priority.broker.connection import Command, send_together
from fast_priority.http.via import IDENTITY_CHARACTERS, Deployment


async def agree_on_identity(redis: Redis, deployment: Deployment) -> None:
    """Adopt the identity that stands in Redis; write our own there if none does, or something that cannot be one.

    Whatever Redis refuses, for want of memory or because of the type of the key, changes nothing. Raises what redis-py
    raises when Redis is away.
    """
    key, end = keys.DEPLOYMENT, keys.DEPLOYMENT_TTL_SECONDS
    steps: list[Command] = [
        ("SET", key, deployment.identity, "NX", "EX", end),
        ("EXPIRE", key, end),
        ("GETRANGE", key, 0, IDENTITY_CHARACTERS),  # one more than is valid, and never more
    ]
    *_, written = await send_together(redis, steps)
    if not isinstance(written, bytes) or not deployment.adopt(written):
        await send_together(redis, [("SET", key, deployment.identity, "EX", end)])
