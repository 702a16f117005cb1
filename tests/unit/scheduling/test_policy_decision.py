"""How rules decide: the first that matches, and the less important outcome where that is unknown."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.scheduling.policy import BodyState, Decision, PathStyle, Policy, PolicyFile
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
        assert found == LEVELS[0]  # it does not pass by what is unknown, also where all ways would let it pass
    else:
        assert found == max(possible, key=ORDER.index)


CONDITIONS = [
    'path = "/a"',
    'path_prefix = "/a/"',
    'method = ["POST"]',
    'header = { x = "1" }',
    "header = { x = { absent = true } }",
    'query = { q = "1" }',
    'client = ["10.0.0.0/8"]',
    'key = ["chat"]',
    'body = { "/m" = "1" }',
    'body = { "/m" = { absent = true } }',
    'urgency = "0-3"',
    "",
]
OUTCOMES = ['level = "high"', 'level = "normal"', 'level = "low"', "pass_through = true", "refuse = 403"]
texts = st.lists(st.tuples(st.sampled_from(CONDITIONS), st.sampled_from(OUTCOMES)), max_size=5).map(
    lambda pairs: "".join(rule(condition, what, f"r{at}") for at, (condition, what) in enumerate(pairs))
)
requests = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["/a", "/a/b", "/b"]),
        "method": st.sampled_from(["GET", "POST"]),
        "fields": st.lists(
            st.sampled_from([("x", "1"), ("x", "2"), ("priority", "u=1"), ("authorization", "Bearer chat-key")]),
            unique_by=lambda field: field[0],
        ),
        "query": st.sampled_from([b"", b"q=1", b"q=2"]),
        "client": st.sampled_from(["10.0.0.1", "192.0.2.1"]),
        "body": st.sampled_from([BodyState.ABSENT, {}, {"m": "1"}, {"m": "2"}]),
    }
)
Request = dict[str, Any]


@given(texts, requests, by_paths)
def test_the_same_request_gets_the_same_answer(text: str, request: Request, by_path: str | None) -> None:
    """An answer depends on the rules and the request alone."""
    first, second = policy(text, KEYS, by_path), policy(text, KEYS, by_path)
    answers = [tested.decide(facts(of=tested, **request)) for tested in (first, first, second)]
    assert answers[0] == answers[1] == answers[2]


HIDINGS: dict[str, Callable[[Request], Request]] = {
    "each field twice": lambda request: {**request, "fields": request["fields"] * 2},
    "each field twice, with another value": lambda request: {
        **request,
        "fields": [*request["fields"], *((name, "other") for name, _ in request["fields"])],
    },
    "the query twice": lambda request: {**request, "query": request["query"] + b"&" + request["query"]},
    "a body that cannot be looked at": lambda request: {**request, "body": BodyState.UNREADABLE},
    "a body in capitals": lambda request: {**request, "body": {"M": "1"} if request["body"] else request["body"]},
    "a path in another spelling": lambda request: {**request, "path": request["path"].replace("/", "/x/../", 1)},
    "a path with %": lambda request: {**request, "path": request["path"].replace("a", "%61")},
    "no address": lambda request: {**request, "client": None},
}


@given(texts, requests, by_paths, st.sampled_from(sorted(HIDINGS)))
def test_who_hides_something_gains_nothing(text: str, request: Request, by_path: str | None, hiding: str) -> None:
    """A request in which something cannot be looked at is no more important than the same one that shows it."""
    tested = policy(text, KEYS, by_path)
    shown, hidden = decided(tested, **request), decided(tested, **HIDINGS[hiding](request))
    assert ORDER.index(hidden) >= ORDER.index(shown)


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
    assert (by_rule.rule, by_path.rule) == ("batch", None)


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


@pytest.mark.parametrize(
    ("conditions", "shown", "key"),
    [
        ('level = "high"', "chat-key", "chat"),
        ('level = "high"', "batch-key", "batch"),
        ("refuse = 403", "low-key", "low"),
        ("pass_through = true", "chat-key", "chat"),
        ('level = "high"', "other", None),
    ],
)
def test_the_key_is_named(conditions: str, shown: str, key: str | None) -> None:
    """A decision has the names of its rule and of the key, whatever it is; an unknown key has none."""
    tested = policy(rule('path = "/a"', conditions, "batch"), KEYS)
    found = tested.decide(facts(path="/a", fields=bearer(shown), of=tested))
    assert found is not None
    assert (found.rule, found.key) == ("batch", key)


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
