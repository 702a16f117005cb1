"""Decides about one request: the first rule that matches, else the path settings; then the cap of its key. Pure.

Where a rule may match and may not, because something in the request cannot be looked at, the request gets the less
important of what follows if it matches and what follows if it does not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from fast_priority.scheduling.policy.conditions import Condition, body_conditions_of, conditions_of
from fast_priority.scheduling.policy.facts import RuleFacts
from fast_priority.scheduling.policy.json_body import BodyState
from fast_priority.scheduling.policy.key_ring import KeyRing, KeyState
from fast_priority.scheduling.policy.path_names import PathStyle
from fast_priority.scheduling.policy.rule_file import PolicyFile, Rule
from fast_priority.scheduling.policy.truth import Truth, all_of
from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import RequestFacts

ErrorForm: TypeAlias = Literal["openai", "problem"]
_OWN_SETTINGS: Final = "the path settings"


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a request: it waits at a level, skips the queue (no level), or is refused."""

    level: str | None
    refuse: int | None = None
    """The status of a refusal; 401 if its key is missing or unknown."""
    by: str = _OWN_SETTINGS
    """What decided: the name of a rule in quotes, or the path settings."""
    rule: str | None = None
    """The name of the rule that decided; None if none did."""
    key: str | None = None
    """The name of the key that the request shows; None without a known one."""
    errors: ErrorForm = "problem"
    """The form of the gateway's own errors for this request."""
    challenge: str | None = None
    """The value of WWW-Authenticate, for a 401."""
    is_capped: bool = False
    """Whether its key, or that it has none, has lowered the level."""
    unsure: tuple[str, ...] = ()
    """The rules of which it is unknown whether they match: something in the request cannot be looked at."""

    @property
    def passes(self) -> bool:
        """Whether the request skips the queue."""
        return self.level is None and self.refuse is None


@dataclass(frozen=True, slots=True)
class _CompiledRule:
    outcome: Decision
    head: tuple[Condition, ...]
    body: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, rule: Rule, style: PathStyle) -> "_CompiledRule":
        outcome = Decision(rule.level, rule.refuse, f"rule {rule.name!r}", rule.name, errors=rule.errors)
        return cls(outcome, conditions_of(rule, style), body_conditions_of(rule))

    def match(self, facts: RuleFacts) -> tuple[Truth, bool]:
        """Return whether the rule matches, and whether it takes the body to decide that."""
        by_head = all_of(condition(facts) for condition in self.head)
        if by_head is False or not self.body:
            return by_head, False
        if facts.body is BodyState.UNREAD:
            return None, True
        return all_of((by_head, *(condition(facts) for condition in self.body))), False


class Policy:
    """Rules and keys. Requests that no rule matches get what `by_path` returns: a level, or None to skip the queue.

    `levels` are the names of the levels, the most important first. Without a ring, no key is looked at.
    """

    def __init__(
        self,
        file: PolicyFile,
        ring: KeyRing | None,
        by_path: Callable[[RequestFacts], str | None],
        levels: Sequence[str],
        style: PathStyle,
    ) -> None:
        self.ring = ring
        self.most_body_bytes = file.max_body
        self.number_of_rules = len(file.rule)
        self.for_proxies = [rule.name for rule in file.rule if rule.trusted]
        self._rules = [_CompiledRule.of(rule, style) for rule in file.rule]
        self._by_path = by_path
        self.levels = self._levels = tuple(map(Priority, levels))
        self.limits = file.limits

    def decide(self, facts: RuleFacts) -> Decision | None:
        """Return what happens to the request; None if that depends on its body, which is UNREAD."""
        maybe: list[Decision] = []
        found: Decision | None = None
        for rule in self._rules:
            truth, needs_body = rule.match(facts)
            if needs_body:
                return None
            if truth is False:
                continue
            if truth:
                found = rule.outcome
                break
            maybe.append(rule.outcome)
        found = found or Decision(self._by_path(facts.request))
        for other in reversed(maybe):
            found = self._less_important(other, found)
        if maybe:
            found = replace(found, unsure=tuple(other.by for other in maybe))
        found = self._for_key(found, facts)
        return found if facts.key.key is None else replace(found, key=facts.key.key.name)

    def _less_important(self, unknown: Decision, rest: Decision) -> Decision:
        """Return the outcome for a request that a rule with the outcome `unknown` may match; `rest` if it does not."""
        errors: ErrorForm = "openai" if "openai" in (unknown.errors, rest.errors) else "problem"
        if unknown.refuse is not None or rest.refuse is not None:
            refused = unknown if unknown.refuse is not None else rest
            return replace(refused, errors=errors)
        if unknown.level is None:
            # It never passes by what is unknown, also if the rest would let it pass: then the first level is the next.
            waits = replace(rest, level=self._levels[0]) if rest.level is None else rest
            return replace(waits, errors=errors)
        rest_is_lower = rest.level is not None and self._rank(rest.level) > self._rank(unknown.level)
        return replace(rest if rest_is_lower else unknown, errors=errors)

    def _for_key(self, found: Decision, facts: RuleFacts) -> Decision:
        ring = self.ring
        if ring is None or found.passes:
            return found
        if ring.refuses_unknown and facts.key.state is not KeyState.KNOWN:
            return Decision(None, 401, "the keys file", errors=found.errors, challenge=ring.challenge(facts.key))
        highest = ring.highest_of(facts.key)
        if found.level is None or self._rank(found.level) >= self._rank(highest):
            return found
        return replace(found, level=highest, is_capped=True)

    def _rank(self, level: str) -> int:
        return self._levels.index(level)
