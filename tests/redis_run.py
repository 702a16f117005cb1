"""The note in Redis that says since when it has run: by it, scripts judge whether a gateway is gone."""

from importlib.resources import files
from typing import Any

from fast_priority.broker import keys, scripts

_THIS_SERVER = (files(scripts) / "this_server.lua").read_text() + "\nreturn this_server()"


def note_run(redis: Any, seconds: float = 60.0, *, until_seconds_ago: float = 0.0) -> None:
    """Note that this Redis has run for so long without a gap, as workers do with their renewals."""
    server = redis.eval(_THIS_SERVER, 0).decode()
    whole, micro = redis.time()
    until_ms = whole * 1000 + micro // 1000 - int(until_seconds_ago * 1000)
    redis.set(keys.REDIS_RUN, f"{server} {until_ms - int(seconds * 1000)} {until_ms}", ex=60)
