"""A policy of texts, and requests for it."""

import hashlib
from ipaddress import ip_address
from typing import Any

from fast_priority.scheduling.policy import (
    NO_KEYS,
    Body,
    BodyState,
    Decision,
    PathStyle,
    Policy,
    RuleFacts,
    policy_of,
)
from fast_priority.scheduling.rules import RequestFacts

LEVELS = ["high", "normal", "low"]
PASSES, REFUSED = "pass", "refuse"


def policy(rules: str = "", keys: str | None = None, by_path: str | None = "high", **style: Any) -> Policy:
    """Return a policy of three levels; what no rule matches gets `by_path`."""
    files = ("policy.toml", rules), None if keys is None else ("keys.toml", keys)
    return policy_of(*files, lambda request: by_path, LEVELS, PathStyle(**style))


def rule(conditions: str, outcome: str = 'level = "low"', name: str = "tested") -> str:
    """Return the text of one rule."""
    return f'[[rule]]\nname = "{name}"\n{outcome}\n{conditions}\n'


def key_entry(name: str, key: str, more: str = "") -> str:
    """Return the entry of a key."""
    return f'[[key]]\nname = "{name}"\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n{more}\n'


def facts(
    path: str = "/v1/chat",
    method: str = "POST",
    fields: dict[str, str] | list[tuple[str, str]] | None = None,
    query: bytes = b"",
    client: str | None = "192.0.2.1",
    body: Body = BodyState.ABSENT,
    of: Policy | None = None,
    *,
    is_proxied: bool = False,
) -> RuleFacts:
    """Return the facts of a request; `of` is the policy whose keys it shows."""
    pairs = list(fields.items()) if isinstance(fields, dict) else (fields or [])
    lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]
    key = of.ring.match(lines) if of is not None and of.ring is not None else NO_KEYS
    address = None if client is None else ip_address(client)
    return RuleFacts(RequestFacts(path, method), lines, query, address, key, body, is_proxied=is_proxied)


def outcome(decision: Decision | None) -> str:
    """Return what was decided: a level, that it skips the queue, or that it is refused."""
    assert decision is not None
    if decision.refuse is not None:
        return f"{REFUSED} {decision.refuse}"
    return PASSES if decision.level is None else decision.level


def decided(tested: Policy, **request: Any) -> str:
    """Return what a policy decides about a request."""
    return outcome(tested.decide(facts(of=tested, **request)))
