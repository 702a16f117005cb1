"""The atomic steps, one Lua file each; the head of a file is its contract. `this_server.lua` is a part of several."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    ResponseError,
)

from fast_priority.broker.connection import Argument, Command, NotCarriedOut, send_together


@dataclass(frozen=True, slots=True)
class Script:
    """One atomic step, run by its digest; the source travels only when Redis does not know it."""

    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha1(self.source.encode(), usedforsecurity=False).hexdigest())

    async def run(
        self, redis: Redis, keys: list[str], arguments: list[Argument], within_seconds: float | None = None
    ) -> Any:
        """Run the step and give what it returns. Raises what Redis refuses, and what `send_together` raises."""
        on = (len(keys), *keys, *arguments)
        (answer,) = await send_together(redis, [("EVALSHA", self.digest, *on)], within_seconds)
        if isinstance(answer, NoScriptError):
            (answer,) = await send_together(redis, [("EVAL", self.source, *on)], within_seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True, slots=True)
class Call:
    """A step with what it is to be run on."""

    script: Script
    keys: list[str]
    arguments: list[Argument]
    in_order: bool = False
    """Whether what follows in the same round trip may not overtake it: then the source travels each time."""

    @property
    def command(self) -> Command:
        """The call as Redis takes it."""
        name, script = ("EVAL", self.script.source) if self.in_order else ("EVALSHA", self.script.digest)
        return name, script, len(self.keys), *self.keys, *self.arguments


async def run_together(redis: Redis, calls: Sequence[Call | Command]) -> list[Any]:
    """Run several steps, and commands, one after the other in one round trip and give what each returns.

    Each step is atomic, their sequence is not: a step that Redis has not known is run again when the others have been,
    unless it is `in_order`. One that met a key of another type than it should be, or a Redis without memory, gives that
    error in its place, for the others have been run. Raises what the first one that failed otherwise answered.
    """
    commands = [call.command if isinstance(call, Call) else call for call in calls]
    results = await send_together(redis, commands)
    for index, (call, result) in enumerate(zip(calls, results, strict=True)):
        if isinstance(result, NoScriptError) and isinstance(call, Call):
            results[index] = await _run_alone(call, redis)
        elif isinstance(result, Exception) and not _concerns_it_alone(result):
            raise result
    return results


def is_wrong_type(error: Exception) -> bool:
    """Tell whether a step failed because a key in Redis has another type than it should: trying again mends nothing."""
    # A script's error has the command's own within it: behind it since Redis 7, before that in its midst.
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether a step failed because Redis has no memory for it now."""
    return isinstance(error, OutOfMemoryError) or (isinstance(error, ResponseError) and "OOM command" in str(error))


def is_refusal(error: BaseException) -> bool:
    """Tell whether Redis refused a step before it began, so that nothing of it was carried out."""
    return isinstance(error, NotCarriedOut | BusyLoadingError | AuthenticationError) or is_out_of_memory(error)


def _concerns_it_alone(error: Exception) -> bool:
    return is_wrong_type(error) or is_out_of_memory(error)


async def _run_alone(call: Call, redis: Redis) -> Any:
    try:
        return await call.script.run(redis, call.keys, call.arguments)
    except ResponseError as error:
        if not _concerns_it_alone(error):
            raise
        return error


def _script(*names: str) -> Script:
    return Script("".join(files(__name__).joinpath(f"{name}.lua").read_text() for name in names))


SUBMIT = _script("this_server", "submit")
RECALL = _script("this_server", "recall")
CLAIM = _script("this_server", "claim")
SAY = _script("say")
PUSH = _script("push")
RENEW = _script("this_server", "renew")
WITHDRAW = _script("withdraw")
WATCH = _script("this_server", "watch")
