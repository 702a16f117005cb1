"""How rules decide: the first that matches, and the less important outcome where that is unknown."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.scheduling.policy import Decision, PathStyle, Policy, PolicyFile
from fast_priority.scheduling.policy.decision import _CompiledRule
from fast_priority.scheduling.policy.truth import Truth
from tests.unit.scheduling.policy_rig import LEVELS, PASSES, decided, facts, key_entry, outcome, policy, rule

ORDER = [PASSES, *LEVELS, "refuse 403"]
"""Outcomes, the most important first."""
outcomes = st.sampled_from(
    [Decision(None), *(Decision(level) for level in LEVELS), Decision(None, 403, errors="openai")]
)
rules = st.lists(st.tuples(outcomes, st.sampled_from([True, False, None])), max_size=5)
by_paths = st.sampled_from([None, *LEVELS])


def decided_by(outcomes_of_rules: Sequence[Decision], truths: Sequence[Truth], by_path: str | None) -> str:
    """Return the outcome of rules whose conditions have these values."""
    tested = Policy(PolicyFile.model_validate({}), None, lambda _: by_path, LEVELS, PathStyle())
    for each, truth in zip(outcomes_of_rules, truths, strict=True):
        tested._rules.append(_CompiledRule(each, (lambda _, truth=truth: truth,)))  # type: ignore[misc]
    return outcome(tested.decide(facts()))


@given(rules, by_paths)
def test_the_first_that_matches_decides(given_rules: list[tuple[Decision, Truth]], by_path: str | None) -> None:
    """Without anything unknown, the first rule that matches decides, and else the path settings."""
    known = [(each, bool(truth)) for each, truth in given_rules]
    expected = next((outcome(each) for each, truth in known if truth), outcome(Decision(by_path)))
    assert decided_by([each for each, _ in known], [truth for _, truth in known], by_path) == expected


@given(rules, by_paths)
def test_unknown_is_the_least_of_what_it_may_be(given_rules: list[tuple[Decision, Truth]], by_path: str | None) -> None:
    """What is unknown gets the least important of all that it may be: it raises nothing, passes by nothing."""
    decisions, truths = [each for each, _ in given_rules], [truth for _, truth in given_rules]
    ways = itertools.product(*([True, False] if truth is None else [truth] for truth in truths))
    possible = {decided_by(decisions, way, by_path) for way in ways}
    found = decided_by(decisions, truths, by_path)
    if possible == {PASSES} and found != PASSES:
        assert found == LEVELS[-1]  # it does not pass by what is unknown, also where all ways would let it pass
    else:
        assert found == max(possible, key=ORDER.index)


@given(rules, by_paths)
def test_a_known_answer_stays(given_rules: list[tuple[Decision, Truth]], by_path: str | None) -> None:
    """The same request gets the same answer."""
    decisions, truths = [each for each, _ in given_rules], [truth for _, truth in given_rules]
    assert decided_by(decisions, truths, by_path) == decided_by(decisions, truths, by_path)


def test_unknown_and_what_the_rest_refuses() -> None:
    """A rule that raises, and cannot be judged, opens no way past a later rule that refuses."""
    tested = policy(
        rule('header = { a = "1" }', 'level = "high"', "first") + rule('method = ["POST"]', "refuse = 403", "second")
    )
    assert decided(tested, fields=[("a", "1"), ("a", "1")]) == "refuse 403"


def test_who_decides_is_named() -> None:
    """A decision names the rule that made it, or the path settings."""
    tested = policy(rule('path = "/a"', 'level = "low"', "batch"))
    by_rule, by_path = tested.decide(facts(path="/a")), tested.decide(facts(path="/b"))
    assert by_rule is not None
    assert by_path is not None
    assert (by_rule.by, by_path.by) == ("rule 'batch'", "the path settings")


KEYS = (
    key_entry("chat", "chat-key")
    + key_entry("batch", "batch-key", 'highest = "normal"')
    + key_entry("low", "low-key", 'highest = "low"')
)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        (bearer("chat-key"), "high"),
        (bearer("batch-key"), "normal"),
        (bearer("low-key"), "low"),
        ({"authorization": "bearer  chat-key "}, "high"),
        ({}, "low"),
        (bearer("other"), "low"),
        (bearer("chat-ke"), "low"),
        (bearer("chat-key-and-more"), "low"),
        ({"authorization": "Basic chat-key"}, "low"),
        ({"authorization": "chat-key"}, "low"),
        ([("authorization", "Bearer chat-key"), ("authorization", "Bearer chat-key")], "low"),
    ],
)
def test_a_key_is_a_cap(fields: dict[str, str], level: str) -> None:
    """A request goes no higher than its key may; without a known key, at the last level."""
    assert decided(policy(keys=KEYS), fields=fields) == level


@given(by_paths, st.sampled_from(["chat-key", "batch-key", "low-key", "other"]))
def test_a_key_raises_nothing(by_path: str | None, key: str) -> None:
    """A key never makes a request more important than it is without a keys file."""
    without, with_key = policy(by_path=by_path), policy(keys=KEYS, by_path=by_path)
    assert ORDER.index(decided(with_key, fields=bearer(key))) >= ORDER.index(decided(without))


def test_keyless_highest() -> None:
    """The file can say how high requests without a known key may go."""
    tested = policy(keys='keyless_highest = "normal"\n' + KEYS)
    assert (decided(tested), decided(tested, fields=bearer("low-key"))) == ("normal", "low")


def test_unknown_keys_are_refused() -> None:
    """With `unknown = "refuse"`, a request without a known key gets 401, unless it skips the queue."""
    tested = policy(rule('method = ["OPTIONS"]', "pass_through = true"), 'unknown = "refuse"\n' + KEYS)
    assert decided(tested) == "refuse 401"
    assert decided(tested, fields=bearer("other")) == "refuse 401"
    assert decided(tested, fields=bearer("chat-key")) == "high"
    assert decided(tested, method="OPTIONS") == PASSES


def test_the_challenge_of_a_401() -> None:
    """A 401 says how a key is shown (RFC 9110, section 15.5.2), and whether one was shown (RFC 6750)."""
    tested = policy(keys='unknown = "refuse"\n' + KEYS)
    missing, unknown = tested.decide(facts(of=tested)), tested.decide(facts(of=tested, fields=bearer("other")))
    assert missing is not None
    assert unknown is not None
    assert missing.challenge == 'Bearer realm="fast-priority"'
    assert unknown.challenge == 'Bearer realm="fast-priority", error="invalid_token"'


def test_a_named_field() -> None:
    """With `field`, the whole value of that field is the key, and Authorization is not looked at."""
    tested = policy(keys='field = "X-Api-Key"\n' + KEYS)
    assert decided(tested, fields={"x-api-key": "batch-key"}) == "normal"
    assert decided(tested, fields=bearer("batch-key")) == "low"


def test_rules_by_key() -> None:
    """A rule counts for the requests of the keys that it names, and a key that is unclear is unknown."""
    tested = policy(rule('key = ["chat"]', 'level = "normal"'), 'keyless_highest = "high"\n' + KEYS)
    assert decided(tested, fields=bearer("chat-key")) == "normal"
    assert decided(tested, fields=bearer("batch-key")) == "normal"
    assert decided(tested) == "high"
    assert decided(tested, fields=[("authorization", "Bearer chat-key"), ("authorization", "x")]) == "normal"
