"""What a Redis server says of itself: its version, and whether it may drop our keys."""

from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from fast_priority.broker.connection import Command, ServerFacts, read_server_facts_now

SERVER = b"# Server\r\nredis_version:7.4.1\r\nredis_mode:standalone\r\n"


def memory(most: int, policy: str) -> bytes:
    return f"# Memory\r\nused_memory:1\r\nmaxmemory:{most}\r\nmaxmemory_policy:{policy}\r\n".encode()


def facts_with(answers: dict[Command, Any]) -> ServerFacts:
    """Return the facts of a server with these answers, which refuses everything else."""
    return read_server_facts_now(lambda command: answers.get(command, NoPermissionError("no permissions")))


def facts(most: int, policy: str) -> ServerFacts:
    return facts_with({("INFO", "server"): SERVER, ("INFO", "memory"): memory(most, policy)})


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl", "volatile-lfu"])
def test_a_policy_that_drops_keys(policy: str) -> None:
    """A limit of memory with a policy that drops keys, ours with a TTL included, is a warning that names the policy."""
    warning = facts(1_000_000, policy).warning
    assert warning is not None
    assert f"maxmemory-policy is {policy}; set it to noeviction" in warning


@pytest.mark.parametrize(("most", "policy"), [(0, "allkeys-lru"), (0, "volatile-ttl"), (1_000_000, "noeviction")])
def test_nothing_is_dropped(most: int, policy: str) -> None:
    """Without a limit of memory, and with noeviction, there is no warning."""
    assert facts(most, policy) == ServerFacts("7.4.1", policy, most)
    assert facts(most, policy).warning is None


def test_without_info() -> None:
    """Where INFO is forbidden, CONFIG GET is asked."""
    found = facts_with({
        ("CONFIG", "GET", "maxmemory"): [b"maxmemory", b"100"],
        ("CONFIG", "GET", "maxmemory-policy"): {b"maxmemory-policy": b"allkeys-lfu"},
    })  # fmt: skip
    assert found == ServerFacts(None, "allkeys-lfu", 100)


def test_everything_is_hidden() -> None:
    """Where neither can be read, nothing is known, and there is no warning."""
    assert facts_with({}) == ServerFacts(None, None, None)
    assert facts_with({}).warning is None


def test_config_is_not_asked_for_without_need() -> None:
    """CONFIG, which most users may not run, is asked for only if INFO does not have the policy."""
    asked: list[Command] = []

    def ask(command: Command) -> Any:
        asked.append(command)
        return memory(1, "noeviction") if command == ("INFO", "memory") else ResponseError("unknown command")

    read_server_facts_now(ask)
    assert asked == [("INFO", "server"), ("INFO", "memory")]


@pytest.mark.parametrize("policy", ["evil\x1b[31m", "a" * 100, "", "ALLKEYS LRU"])
def test_a_policy_of_another_form(policy: str) -> None:
    """A text that cannot be a policy counts as hidden: it is not shown."""
    assert facts(1, policy).policy is None


@pytest.mark.parametrize("answer", [None, 7, [b"odd"], {}, b"\xff:\xff", b"redis_version:" + b"9" * 100_000])
def test_answers_of_another_form(answer: object) -> None:
    """Whatever a server answers, reading its facts does not fail."""
    assert facts_with({("INFO", "server"): answer, ("INFO", "memory"): answer}) == ServerFacts(None, None, None)
