"""Connections to Redis, commands in few round trips, and the state of the server.

- `clients`: options and clients, synchronous and asyncio. `pool`, `redis_connection`: what ours do beside redis-py's.
- `sentinel`: the address of the master, from Sentinels.
- `pipeline`: several commands in one round trip.
- `pipelined`: many commands in flight on one connection. `batcher`: many small items in one round trip.
- `redis_health`: which server answers, how its clock stands, when it was away.
- `problems`: what is wrong with Redis, in words. `redis_outage`: that trouble as one outage in the log of a process.
- `server_facts`: the version of the server, and whether it may drop our keys.
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
from fast_priority.broker.connection.pipelined import PipelinedConnection
from fast_priority.broker.connection.pool import NotCarriedOut
from fast_priority.broker.connection.problems import is_out_of_memory, is_refused_write, problem_of
from fast_priority.broker.connection.redis_health import RedisHealth
from fast_priority.broker.connection.redis_outage import RedisOutage, TaskOutage
from fast_priority.broker.connection.server_facts import ServerFacts, read_server_facts, read_server_facts_now

__all__ = [
    "ANSWER_TIMEOUT_SECONDS",
    "CONNECTION_ERRORS",
    "CONNECT_TIMEOUT_SECONDS",
    "Argument",
    "Batcher",
    "Command",
    "NotCarriedOut",
    "PipelinedConnection",
    "RedisHealth",
    "RedisOutage",
    "ServerFacts",
    "TaskOutage",
    "connect",
    "is_out_of_memory",
    "is_refused_write",
    "options_of",
    "problem_of",
    "read_server_facts",
    "read_server_facts_now",
    "redis_options",
    "send_together",
    "sync_connection",
]
