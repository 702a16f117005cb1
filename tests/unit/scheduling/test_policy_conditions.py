"""What the conditions of rules ask of a request: when they hold, when they do not, and when that is unknown."""

from typing import Any

import pytest

from fast_priority.scheduling.path_forms import PathCase
from fast_priority.scheduling.policy import BodyState, RuleFacts, read_body
from tests.unit.scheduling.policy_rig import decided, facts, policy, rule

TRUE, FALSE, UNKNOWN = "yes", "no", "unknown"


def truth_of(conditions: str, **request: Any) -> str:
    """Return whether a rule with these conditions matches: it shows in what it makes of a request."""
    demoting = decided(policy(rule(conditions), by_path="high"), **request)
    raising = decided(policy(rule(conditions, 'level = "high"'), by_path="low"), **request)
    found = {("low", "high"): TRUE, ("high", "low"): FALSE, ("low", "low"): UNKNOWN}
    return found[demoting, raising]


def unread(path: str) -> RuleFacts:
    return facts(path=path, body=BodyState.UNREAD)


@pytest.mark.parametrize(
    ("conditions", "path", "expected"),
    [
        ('path = "/v1/chat"', "/v1/chat", TRUE),
        ('path = "/v1/chat"', "/v1/chat/", TRUE),
        ('path = "/v1/chat"', "/v1/chat/x", FALSE),
        ('path = "/v1/chat"', "/v1/Chat", FALSE),
        ('path = "/v1/chat"', "/v1/%63hat", UNKNOWN),
        ('path = "/v1/chat"', "//v1/chat", UNKNOWN),
        ('path = "/v1/chat"', "/v1//chat", UNKNOWN),
        ('path = "/v1/chat"', "/v1/./chat", UNKNOWN),
        ('path = "/v1/chat"', "/v1/x/../chat", UNKNOWN),
        ('path = "/v1/chat"', "/v1/chat;x=1", UNKNOWN),
        ('path = "/v1/chat"', "/v1/chat%00", UNKNOWN),
        ('path = "/v1/chat"', "//other.example/v1/chat", UNKNOWN),
        ('path = "/v1/chat"', "/v1/" + "%2e/" * 5 + "x;" * 9000, UNKNOWN),
        ('path = "/v1/chat"', "/v2/%63hat", FALSE),
        ('path = "/caf%C3%A9"', "/caf%C3%A9", TRUE),
        ('path = "/a b"', "/a%20b", TRUE),
        ('path = "/a%2Fb"', "/a/b", UNKNOWN),
        ('path_prefix = "/v1/"', "/v1", TRUE),
        ('path_prefix = "/v1/"', "/v1/chat", TRUE),
        ('path_prefix = "/v1/"', "/v1x", FALSE),
        ('path_prefix = "/v1/"', "/%761/chat", UNKNOWN),
        ('path_prefix = "/v1/"', "/v1/../v2", UNKNOWN),
        ('path_prefix = "/v1"', "/v1x", TRUE),
        ('path_prefix = "/v1"', "/v2", FALSE),
        ('path_prefix = "/"', "/anything", TRUE),
    ],
)
def test_paths(conditions: str, path: str, expected: str) -> None:
    """A path that some program may read as another one is unknown, unless no reading makes a difference."""
    assert truth_of(conditions, path=path) == expected


def test_paths_follow_the_settings() -> None:
    """Whether capitals and slashes at the ends count is the same for rules as for the path settings."""
    text = rule('path = "/Batch"')
    assert decided(policy(text, case=PathCase.IGNORE), path="/bATCH") == "low"
    assert decided(policy(text), path="/bATCH") == "high"
    assert decided(policy(text, ignore_outer_slashes=False), path="/Batch/") == "high"


@pytest.mark.parametrize(
    ("conditions", "fields", "expected"),
    [
        ('"X-Team" = "search"', {"x-team": "search"}, TRUE),
        ('"x-team" = "search"', {"X-TEAM": " search\t"}, TRUE),
        ('"X-Team" = "search"', {"x-team": "Search"}, FALSE),
        ('"X-Team" = "search"', {}, FALSE),
        ('"X-Team" = "search"', [("x-team", "search"), ("x-team", "search")], UNKNOWN),
        ('"X-Team" = ["search", "ads"]', {"x-team": "ads"}, TRUE),
        ('"X-Team" = ["search", "ads"]', {"x-team": "shop"}, FALSE),
        ('"X-Team" = { starts = "se" }', {"x-team": "search"}, TRUE),
        ('"X-Team" = { starts = "se" }', {"x-team": "a-se"}, FALSE),
        ('"X-Team" = { starts = "se" }', {"x-team": "\xff"}, UNKNOWN),
        ('"X-Team" = { matches = "s.*|ads" }', {"x-team": "search"}, TRUE),
        ('"X-Team" = { matches = "s.*|ads" }', {"x-team": "ads-2"}, FALSE),
        ('"X-Team" = { present = true }', {"x-team": ""}, TRUE),
        ('"X-Team" = { present = true }', [("x-team", "a"), ("x-team", "b")], TRUE),
        ('"X-Team" = { absent = true }', {}, TRUE),
        ('"X-Team" = { absent = true }', {"x-team": "a"}, FALSE),
    ],
)
def test_fields(conditions: str, fields: Any, expected: str) -> None:
    """A field is compared without the blanks around it; one that stands on several lines is unknown."""
    assert truth_of(f"header = {{ {conditions} }}", fields=fields) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"tier=batch", TRUE),
        (b"a=1&tier=batch", TRUE),
        (b"%74ier=b%61tch", TRUE),
        (b"tier=Batch", FALSE),
        (b"tier", FALSE),
        (b"", FALSE),
        (b"tier=batch&tier=batch", UNKNOWN),
        (b"tier=chat&t%69er=batch", UNKNOWN),
        (b"a=1;tier=batch", UNKNOWN),
        (b"tier=batch;x", UNKNOWN),
    ],
)
def test_queries(query: bytes, expected: str) -> None:
    """A part of the query is compared percent-decoded; a name that stands twice for some program is unknown."""
    assert truth_of('query = { tier = "batch" }', query=query) == expected


@pytest.mark.parametrize(
    ("client", "expected"),
    [("10.1.2.3", TRUE), ("2001:db8::7", TRUE), ("11.0.0.1", FALSE), ("2001:db9::1", FALSE), (None, UNKNOWN)],
)
def test_clients(client: str | None, expected: str) -> None:
    """The address of the client is in one of the networks; without an address that is unknown."""
    assert truth_of('client = ["10.0.0.0/8", "2001:db8::/32"]', client=client) == expected


@pytest.mark.parametrize(("method", "expected"), [("POST", TRUE), ("PUT", TRUE), ("GET", FALSE), ("post", FALSE)])
def test_methods(method: str, expected: str) -> None:
    """The method is one of those that are named."""
    assert truth_of('method = ["POST", "PUT"]', method=method) == expected


@pytest.mark.parametrize(("is_proxied", "expected"), [(True, TRUE), (False, FALSE)])
def test_trusted(*, is_proxied: bool, expected: str) -> None:
    """The rule counts only for what a trusted proxy forwards."""
    assert truth_of("trusted = true", is_proxied=is_proxied) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"priority": "u=5"}, TRUE),
        ({"priority": "u=7, i"}, TRUE),
        ({"priority": "u=4"}, FALSE),
        ({"priority": "i"}, FALSE),
        ({"priority": "u=5,,"}, FALSE),
        ({}, FALSE),
        ([("priority", "u=5"), ("priority", "u=1")], UNKNOWN),
    ],
)
def test_urgencies(fields: Any, expected: str) -> None:
    """The urgency of the field Priority lies in the range; a field that is absent or broken has none."""
    assert truth_of('urgency = "5-7"', fields=fields) == expected


@pytest.mark.parametrize(
    ("condition", "body", "expected"),
    [
        ('"/model" = "llama"', b'{"model": "llama"}', TRUE),
        ('"/model" = "llama"', b'{"model": "ll\\u0061ma"}', TRUE),
        ('"/model" = "llama"', b'{"model": "other"}', FALSE),
        ('"/model" = "llama"', b"{}", FALSE),
        ('"/model" = "llama"', b"", FALSE),
        ('"/model" = "llama"', b'{"model": null}', FALSE),
        ('"/model" = "llama"', b'{"Model": "llama"}', UNKNOWN),
        ('"/model" = "llama"', b'{"model": "x", "MODEL": "llama"}', UNKNOWN),
        ('"/model" = "llama"', b'{"model": "x", "model": "llama"}', UNKNOWN),
        ('"/model" = "llama"', b'{"model": ["llama"]}', UNKNOWN),
        ('"/model" = "llama"', b'{"model": "llama\\u0000"}', UNKNOWN),
        ('"/model" = "llama"', b'{"model": "llama\\ud800"}', UNKNOWN),
        ('"/model" = "llama"', b'[{"model": "llama"}]', UNKNOWN),
        ('"/model" = "llama"', b'{"model": "llama"', UNKNOWN),
        ('"/model" = "llama"', b"model=llama", UNKNOWN),
        ('"/model" = ["a", "b"]', b'{"model": "b"}', TRUE),
        ('"/model" = { starts = "llama-70b" }', b'{"model": "llama-70b-chat"}', TRUE),
        ('"/model" = { starts = "llama-70b" }', b'{"model": "llama-8b"}', FALSE),
        ('"/model" = { starts = "llama-70b" }', b'{"model": 70}', UNKNOWN),
        ('"/model" = { matches = "llama.*" }', b'{"model": "llama\\nx"}', TRUE),
        ('"/stream" = false', b'{"stream": false}', TRUE),
        ('"/stream" = false', b'{"stream": true}', FALSE),
        ('"/stream" = false', b'{"stream": "false"}', UNKNOWN),
        ('"/stream" = false', b'{"stream": 0}', UNKNOWN),
        ('"/n" = 1', b'{"n": 1.0}', TRUE),
        ('"/n" = 1', b'{"n": true}', UNKNOWN),
        ('"/priority" = { min = 5 }', b'{"priority": 5}', TRUE),
        ('"/priority" = { min = 5 }', b'{"priority": 4.9}', FALSE),
        ('"/priority" = { min = 5 }', b'{"priority": "9"}', UNKNOWN),
        ('"/priority" = { min = 5, max = 7 }', b'{"priority": 8}', FALSE),
        ('"/priority" = { max = 7 }', b'{"priority": -1}', TRUE),
        ('"/tools" = { present = true }', b'{"tools": []}', TRUE),
        ('"/tools" = { present = true }', b"{}", FALSE),
        ('"/tools" = { present = true }', b'{"tools": null}', UNKNOWN),
        ('"/tools" = { absent = true }', b"{}", TRUE),
        ('"/tools" = { absent = true }', b"", TRUE),
        ('"/tools" = { absent = true }', b'{"Tools": 1}', UNKNOWN),
        ('"/messages/0/role" = "system"', b'{"messages": [{"role": "system"}]}', TRUE),
        ('"/messages/0/role" = "system"', b'{"messages": []}', FALSE),
        ('"/messages/00/role" = "system"', b'{"messages": [{"role": "system"}]}', FALSE),
        ('"/a~1b/~0" = 1', b'{"a/b": {"~": 1}}', TRUE),
    ],
)
def test_bodies(condition: str, body: bytes, expected: str) -> None:
    """A value of the body is compared by its type; what programs read in different ways is unknown."""
    assert truth_of(f"body = {{ {condition} }}", body=read_body(body)) == expected


def test_a_body_that_is_needed() -> None:
    """Only a rule whose other conditions may hold makes the decision wait for the body."""
    tested = policy(rule('path = "/v1/chat"\nbody = { "/model" = "llama" }'))
    assert tested.decide(unread("/v1/chat")) is None
    assert tested.decide(unread("/v1/%63hat")) is None
    assert tested.decide(unread("/v2")) is not None


def test_a_body_behind_the_rule_that_decides() -> None:
    """A rule after the one that matches needs no body."""
    first = rule('method = ["POST"]', 'level = "normal"', "first")
    assert decided(policy(first + rule('body = { "/a" = 1 }')), body=BodyState.UNREAD) == "normal"


def test_all_conditions_must_hold() -> None:
    """A rule matches if all of its conditions hold, and not if one of them does not, whatever is unknown."""
    tested = policy(rule('method = ["POST"]\nheader = { a = "1" }\nquery = { b = "2" }'))
    assert decided(tested, fields={"a": "1"}, query=b"b=2") == "low"
    assert decided(tested, fields={"a": "1"}, query=b"b=3") == "high"
    assert decided(tested, fields=[("a", "1"), ("a", "2")], query=b"b=3") == "high"


def test_a_pattern_that_would_take_for_ever() -> None:
    """A pattern that other engines try in ever more ways is matched in linear time."""
    text = rule('header = { a = { matches = "(a*)*b" } }')
    assert decided(policy(text), fields={"a": "a" * 50_000}) == "high"
