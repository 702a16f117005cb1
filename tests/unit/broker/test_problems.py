"""What an error of Redis means, in words, and whether the step was carried out."""

import re

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fast_priority.broker import scripts
from fast_priority.broker.connection import NotCarriedOut, problem_of


def unborrowed(error: Exception) -> Exception:
    """Return the error of a pool that has no connection, because of this error."""
    failure = NotCarriedOut("no connection")
    failure.__cause__ = error
    return failure


REFUSED_WRITES = [
    (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "out of memory"),
    (ResponseError("Error running script: @user_script: 3: -OOM command not allowed"), "out of memory"),
    (ResponseError("MISCONF Redis is configured to save RDB snapshots, but..."), "on disk"),
    (
        ResponseError("MISCONF Errors writing to the AOF file: No space left. script: 3c, on @user_script:60."),
        "on disk",
    ),
    (ResponseError("NOREPLICAS Not enough good replicas to write."), "too few replicas"),
    (ReadOnlyError("You can't write against a read only replica."), "replica"),
    (ResponseError("Error running script: -READONLY You can't write against a read only replica."), "replica"),
    (ResponseError("UNBLOCKED force unblock, instance state changed (master -> replica?)"), "replica"),
    (unborrowed(ReadOnlyError("You can't write against a read only replica.")), "replica"),
]
REFUSED_COMMANDS = [
    (NoPermissionError("this user has no permissions to run the 'set' command"), "ACL"),
    (ResponseError("The user executing the script can't run this command or subcommand script: 3c."), "ACL"),
    (NoPermissionError("ACL failure in script: User x has no permissions to run the 'hset' command"), "ACL"),
    (MasterDownError("Link with MASTER is down"), "lost its master"),
    (BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
    (unborrowed(AuthenticationError("invalid username-password pair")), "login"),
    (ResponseError("CLUSTERDOWN Hash slot not served"), r"\(CLUSTERDOWN\)"),
    (ResponseError("unknown command"), "refuses commands$"),
]
AWAY = [RedisConnectionError("refused"), RedisTimeoutError("no answer"), OSError("broken"), NotCarriedOut("unwritten")]


@pytest.mark.parametrize(("error", "words"), REFUSED_WRITES)
def test_refused_writes(error: Exception, words: str) -> None:
    """The words say that Redis refuses writes, and why."""
    problem = problem_of(error)
    assert problem.is_refusal
    assert problem.words.startswith("Redis refuses writes: ")
    assert words in problem.words


@pytest.mark.parametrize(("error", "words"), REFUSED_COMMANDS)
def test_refused_commands(error: Exception, words: str) -> None:
    """The words say what else Redis refuses."""
    problem = problem_of(error)
    assert problem.is_refusal
    assert re.search(words, problem.words)


@pytest.mark.parametrize("error", AWAY)
def test_away(error: Exception) -> None:
    """Without an answer, Redis counts as away."""
    assert problem_of(error) == ("Redis does not answer", False, False)


@pytest.mark.parametrize("text", ["SECRET\x1b[31m", "NOAUTH\nforged line", "lower"])
def test_nothing_of_the_text_of_redis(text: str) -> None:
    """The words have no text of Redis but a code of capital letters."""
    assert problem_of(ResponseError(text)).words.isprintable()
    assert "forged" not in problem_of(ResponseError(text)).words


@pytest.mark.parametrize("error", [error for error, _ in REFUSED_WRITES[:7]])
def test_a_refused_write_is_certain(error: Exception) -> None:
    """A write that Redis refuses was not carried out, alone or in a script."""
    assert scripts.is_refusal(error)


def test_a_script_may_be_refused_half_way() -> None:
    """A command that the ACL forbids was not carried out; a script may have carried out a part."""
    alone, in_old_script, in_script = [error for error, _ in REFUSED_COMMANDS[:3]]
    assert [scripts.is_refusal(error) for error in (alone, in_old_script, in_script)] == [True, False, False]
