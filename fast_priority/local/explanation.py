"""What a gateway with these settings does with one request, and why, in words. Nothing is sent."""

from collections.abc import Iterator, Sequence

from fast_priority.errors import ConfigurationError
from fast_priority.gateway.policy import policy_from
from fast_priority.http.fields import has_body, is_token
from fast_priority.http.rule_facts import facts_of
from fast_priority.http.trusted_proxies import address_of
from fast_priority.scheduling.policy import (
    Body,
    BodyState,
    Decision,
    KeyMatch,
    KeyState,
    PathStyle,
    Policy,
    policy_of,
    read_body,
)
from fast_priority.scheduling.rules import RequestFacts
from fast_priority.settings import Settings


def explain(settings: Settings, method: str, target: str, lines: Sequence[str], data: bytes, peer: str) -> list[str]:
    """Return lines about a request with this method, target, field lines and body, from the address `peer`.

    Raises ConfigurationError for what is no request, and for files that cannot be used.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/") or not is_token(method.encode()):
        raise ConfigurationError(f"{method} {target} is no request: write a method and a path, such as GET /v1/models")
    address = address_of(peer)
    if address is None:
        raise ConfigurationError(f"--from {peer!r} is not an address: write one such as 192.0.2.1")
    # The length is that of the body, whatever the fields say.
    fields = [field for field in map(_field_of, lines) if field[0] != b"content-length"]
    is_chunked = has_body(fields)
    if not is_chunked:
        fields.append((b"content-length", b"%d" % len(data)))
    policy = policy_from(settings) or policy_of(
        None,
        None,
        settings.rules.priority_of,
        settings.given_levels,
        PathStyle(settings.normalize_paths, settings.path_case),
    )
    request = RequestFacts(path.encode().decode("latin-1"), method)
    declared_bytes = None if is_chunked else len(data)
    facts = facts_of(request, fields, query.encode(), declared_bytes, address, settings.proxies, policy)
    decision = policy.decide(facts)
    if decision is None:
        facts = facts.with_body(read_body(data))
        decision = policy.decide(facts)
    if decision is None:
        raise RuntimeError("a body that was read decides")
    return list(_shown(settings, policy, decision, facts.key, facts.body))


def _shown(settings: Settings, policy: Policy, decision: Decision, key: KeyMatch, body: Body) -> Iterator[str]:
    yield f"decided by  {decision.by}"
    if decision.refuse is not None:
        yield f"level       none: it is refused with {decision.refuse}"
    elif decision.level is None:
        yield "level       none: it skips the queue"
    else:
        yield f"level       {decision.level}" + (", as its key allows no higher one" if decision.is_capped else "")
        ttl_seconds = settings.level_table_with(policy.levels, policy.limits).limits_of(decision.level).ttl_seconds
        yield f"ttl         {ttl_seconds} seconds"
    if policy.ring is not None:
        yield f"key         {_key_in_words(policy, key)}"
    if decision.unsure:
        why = "; its body cannot be looked at" if body is BodyState.UNREADABLE else ""
        yield f"unknown     whether it matches {', '.join(decision.unsure)}{why}"


def _key_in_words(policy: Policy, key: KeyMatch) -> str:
    if key.key is not None:
        return f"{key.key.name}, at most {key.key.highest}"
    without = "refused" if policy.ring is not None and policy.ring.refuses_unknown else "capped"
    return f"{key.state.value if key.state is not KeyState.UNUSED else 'none'}, so it is {without}"


def _field_of(line: str) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(":")
    if not colon or not is_token(name.encode()):
        # The line may have a secret, so it is not shown.
        raise ConfigurationError('a field has a name and a value: write --header "Name: value"')
    return name.lower().encode(), value.strip(" \t").encode("utf-8", "surrogateescape")
