"""Connections to Redis, commands in few round trips, and the state of the server.

- `clients`: options and clients, synchronous and asyncio. `pool`, `redis_connection`: what ours do beside redis-py's.
- `sentinel`: the address of the master, from Sentinels.
- `pipeline`: several commands in one round trip. `batcher`: many small items in one round trip.
- `redis_health`: which server answers, how its clock stands, when it was away.
"""

from fast_priority.broker.connection.batcher import Batcher
from fast_priority.broker.connection.clients import (
    ANSWER_TIMEOUT_SECONDS,
    CONNECT_TIMEOUT_SECONDS,
    CONNECTION_ERRORS,
    connect,
    options_of,
    redis_options,
    sync_connection,
)
from fast_priority.broker.connection.pipeline import Argument, Command, send_together
from fast_priority.broker.connection.pool import NotCarriedOut
from fast_priority.broker.connection.redis_health import RedisHealth

__all__ = [
    "ANSWER_TIMEOUT_SECONDS",
    "CONNECTION_ERRORS",
    "CONNECT_TIMEOUT_SECONDS",
    "Argument",
    "Batcher",
    "Command",
    "NotCarriedOut",
    "RedisHealth",
    "connect",
    "options_of",
    "redis_options",
    "send_together",
    "sync_connection",
]
