"""The conditions of rules, as functions of a request that return True, False, or None for unknown. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from fast_priority.scheduling.policy.facts import RuleFacts
from fast_priority.scheduling.policy.json_body import BodyState, Missing, pointer_tokens, value_at
from fast_priority.scheduling.policy.key_ring import KeyState
from fast_priority.scheduling.policy.path_names import PathStyle, path_condition
from fast_priority.scheduling.policy.patterns import whole_match
from fast_priority.scheduling.policy.rule_file import Rule, TextTest, ValueTest, networks_of
from fast_priority.scheduling.policy.truth import Truth, same_for_all
from fast_priority.scheduling.policy.urgency import urgency_of

Condition: TypeAlias = Callable[[RuleFacts], Truth]

_READ_DIFFERENTLY = re.compile("[\0\ud800-\udfff]")  # a text ends at a NUL for some programs; half a pair is replaced


def conditions_of(rule: Rule, style: PathStyle) -> tuple[Condition, ...]:
    """Return the conditions of a rule, except those on the body; those that need the least work come first."""
    return tuple(_head_conditions(rule, style))


def body_conditions_of(rule: Rule) -> tuple[Condition, ...]:
    """Return the conditions of a rule on the body. A request whose body is UNREAD is not theirs to judge."""
    return tuple(_body_condition(pointer, wanted) for pointer, wanted in (rule.body or {}).items())


def _head_conditions(rule: Rule, style: PathStyle) -> Iterator[Condition]:
    if rule.method is not None:
        methods = frozenset(rule.method)
        yield lambda facts: facts.request.method in methods
    if rule.trusted:
        yield lambda facts: facts.is_proxied
    if rule.key is not None:
        yield _key_condition(frozenset(rule.key))
    if rule.client is not None:
        networks = networks_of(rule.client)
        yield lambda facts: None if facts.client is None else any(facts.client in network for network in networks)
    if rule.path is not None:
        yield path_condition(rule.path, style, is_prefix=False)
    if rule.path_prefix is not None:
        yield path_condition(rule.path_prefix, style, is_prefix=True)
    for name, wanted in (rule.header or {}).items():
        yield _field_condition(name.lower().encode(), wanted)
    if rule.urgency is not None:
        yield _urgency_condition(rule.urgency)
    for name, wanted in (rule.query or {}).items():
        yield _query_condition(name.encode(), wanted)


def _key_condition(names: frozenset[str]) -> Condition:
    def is_shown(facts: RuleFacts) -> Truth:
        if facts.key.state is KeyState.UNCLEAR:
            return None
        return facts.key.key is not None and facts.key.key.name in names

    return is_shown


def _field_condition(name: bytes, wanted: Any) -> Condition:
    test = _text_test(wanted)
    is_about_presence = isinstance(wanted, TextTest) and bool(wanted.present or wanted.absent)

    def holds(facts: RuleFacts) -> Truth:
        values = facts.values_of(name)
        if len(values) > 1 and not is_about_presence:
            return None
        return test(values[0] if values else None)

    return holds


def _query_condition(name: bytes, wanted: Any) -> Condition:
    test = _text_test(wanted)

    def holds(facts: RuleFacts) -> Truth:
        return same_for_all(map(_in_one_reading, facts.queries))

    def _in_one_reading(pairs: tuple[tuple[bytes, bytes], ...]) -> Truth:
        values = [value for one, value in pairs if one == name]
        return None if len(values) > 1 else test(values[0] if values else None)

    return holds


def _urgency_condition(written: str) -> Condition:
    least, most = int(written[0]), int(written[-1])

    def holds(facts: RuleFacts) -> Truth:
        values = facts.values_of(b"priority")
        if len(values) > 1:
            return None
        urgency = urgency_of(values[0].decode("latin-1")) if values else None
        return urgency is not None and least <= urgency <= most

    return holds


def _text_test(wanted: Any) -> Callable[[bytes | None], Truth]:
    """Return a test of a value, which is None if it is absent: then no test holds but that it is absent."""
    if isinstance(wanted, TextTest) and (wanted.present or wanted.absent):
        is_wanted = bool(wanted.present)
        return lambda value: (value is not None) is is_wanted
    if isinstance(wanted, TextTest):
        matches = _string_test(wanted)
        return lambda value: value is not None and _of_text(value, matches)
    texts = frozenset(one.encode() for one in (wanted if isinstance(wanted, tuple) else (wanted,)))
    return lambda value: value in texts


def _of_text(value: bytes, matches: Callable[[str], bool]) -> Truth:
    try:
        return matches(value.decode())
    except UnicodeDecodeError:
        return None


def _string_test(wanted: TextTest | ValueTest) -> Callable[[str], bool]:
    if wanted.matches is not None:
        return whole_match(wanted.matches)
    starts = wanted.starts or ""
    return lambda text: text.startswith(starts)


def _body_condition(pointer: str, wanted: Any) -> Condition:
    tokens, test = pointer_tokens(pointer), _value_test(wanted)

    def holds(facts: RuleFacts) -> Truth:
        body = facts.body
        if isinstance(body, BodyState):
            return test(Missing.ABSENT) if body is BodyState.ABSENT else None
        return test(value_at(body, tokens))

    return holds


def _value_test(wanted: Any) -> Callable[[Any], Truth]:
    """Return a test of what a pointer leads to. It is unknown for a value of another type: a target may convert it."""
    if not isinstance(wanted, ValueTest):
        return _equality(wanted if isinstance(wanted, tuple) else (wanted,))
    if wanted.present or wanted.absent:
        is_wanted = bool(wanted.present)
        # For some programs null is a value, for others it is nothing.
        return lambda found: (
            None if found is None or found is Missing.UNCLEAR else (found is not Missing.ABSENT) is is_wanted
        )
    if wanted.min is not None or wanted.max is not None:
        least = float("-inf") if wanted.min is None else wanted.min
        most = float("inf") if wanted.max is None else wanted.max
        return _of_type(lambda number: least <= number <= most, _is_number)
    return _of_type(_string_test(wanted), _is_clear_text)


def _equality(wanted: tuple[Any, ...]) -> Callable[[Any], Truth]:
    def equals(found: Any) -> Truth:
        if found is None or found is Missing.ABSENT:
            return False
        if found is Missing.UNCLEAR or isinstance(found, dict | list):
            return None
        if any(_is_same_type(found, one) and found == one for one in wanted):
            return True
        is_clear = all(_is_same_type(found, one) for one in wanted)
        return False if is_clear and not (isinstance(found, str) and _READ_DIFFERENTLY.search(found)) else None

    return equals


def _of_type(test: Callable[[Any], bool], is_right: Callable[[Any], bool]) -> Callable[[Any], Truth]:
    def holds(found: Any) -> Truth:
        if found is None or found is Missing.ABSENT:
            return False
        return test(found) if is_right(found) else None

    return holds


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_clear_text(value: Any) -> bool:
    return isinstance(value, str) and not _READ_DIFFERENTLY.search(value)


def _is_same_type(one: Any, other: Any) -> bool:
    return type(one) is type(other) or (_is_number(one) and _is_number(other))
