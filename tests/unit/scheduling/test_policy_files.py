"""The texts of the two files: each problem is a line that names the place, the bad word and the remedy."""

import pytest

from fast_priority.errors import ConfigurationError
from tests.unit.scheduling.policy_rig import key_entry, policy, rule


def problems(rules: str = "", keys: str | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        policy(rules, keys)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ('pathh = "/x"', "`pathh` is unknown: did you mean `path`?"),
        ("ttl = 600", "this version does not know `ttl` yet: remove it"),
        ("keep_alive = 15", "this version does not know `keep_alive` yet: remove it"),
        ("declined = [429]", "this version does not know `declined` yet: remove it"),
        ('path = "v1/chat"', "path: 'v1/chat' is not a path: write it with a slash first, and without a query"),
        ('path = "/v1?x"', "path: '/v1?x' is not a path"),
        ('path = "/v1/*"', "path: '/v1/*' has a *, and a path is not a pattern: write `path_prefix`"),
        ('path = "/a"\npath_prefix = "/b"', "a rule has `path` or `path_prefix`: both are there"),
        ('method = "GET"', 'method: it has to be a list, such as ["..."]'),
        ('method = ["get"]', "method: 'get' is not in capitals: write GET"),
        ("method = []", "method: it is empty: write at least one, or leave it out"),
        ('header = { "X Team" = "a" }', "header.X Team: it is not a name that can stand here"),
        ('header = { a = { start = "x" } }', "header.a: `start` is unknown: did you mean `starts`?"),
        ('header = { a = { matches = "(" } }', "header.a.matches: '(' is not a pattern of RE2 (missing ): ()"),
        ('header = { a = { matches = "a(?=b)" } }', "header.a.matches: 'a(?=b)' is not a pattern of RE2"),
        ('header = { a = { matches = "(((a{500}){500}){500})" } }', "is not a pattern of RE2"),
        ("header = { a = {} }", "header.a: write one of `starts`, `matches`, `present`, `absent`"),
        ("header = { a = { present = false } }", "header.a.present: it can only be true: write true, or leave it out"),
        ('client = ["10.0.0.1/8"]', "client.item 1: '10.0.0.1/8' is not an address or a CIDR network"),
        ('client = ["::ffff:10.0.0.0/104"]', "client.item 1: '::ffff:10.0.0.0/104' is IPv4 in the form of IPv6"),
        ('client = ["proxy.example"]', "client.item 1: 'proxy.example' is not an address or a CIDR network"),
        ('body = { model = "x" }', "body.model: 'model' is not a JSON Pointer: write /model"),
        ('body = { "/a~2" = "x" }', "body./a~2: '/a~2' is not a JSON Pointer"),
        ('body = { "/a" = { min = "x" } }', "body./a.min: input should be a valid number"),
        ('body = { "/a" = 2024-01-01 }', "body./a: it is not a text, a number, true or false"),
        ('body = { "/a" = { min = 1, starts = "x" } }', "body./a: write one of"),
        ('urgency = "8"', "urgency: '8' is not an urgency: write a number from 0 to 7, or a range such as 5-7"),
        ('urgency = "7-5"', "urgency: '7-5' is not an urgency"),
        ("trusted = false", "trusted: it can only be true: write true, or leave it out"),
        ('errors = "opnai"', "errors: 'opnai' is unknown: did you mean `openai`?"),
        ("refuse = 403", "exactly one of `level`, `pass_through` and `refuse`: `level` and `refuse` are there"),
        ("pass_through = true", "`level` and `pass_through` are there"),
        ('key = ["labelling"]', "key: `labelling` is not in the keys file: there are none"),
    ],
)
def test_a_bad_rule(conditions: str, expected: str) -> None:
    """One line names file, number and name of the rule, the bad word and what to write."""
    good = rule('path = "/good"', name="good")
    (line,) = problems(good + rule(conditions, name="bad one"))
    assert line.startswith("policy.toml: rule 2 'bad one': ")
    assert expected in line


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ('level = "hihg"', "level: `hihg` is not a level: did you mean `high`?"),
        ('level = "x"', "level: `x` is not a level: there are `high`, `normal`, `low`"),
        ("refuse = 500", "refuse: 500 is not a status from 400 to 499"),
        ("refuse = 401", "refuse: a 401 needs the field WWW-Authenticate: write another status, such as 403"),
        ("pass_through = false", "pass_through: it can only be true"),
        ("", "exactly one of `level`, `pass_through` and `refuse`: there is none"),
    ],
)
def test_a_bad_outcome(outcome: str, expected: str) -> None:
    """What follows from a rule is checked in the same way."""
    (line,) = problems(rule('path = "/a"', outcome))
    assert expected in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x =", "policy.toml: it is not TOML: Invalid value (at end of document)"),
        (
            'levels = ["high", "low"]',
            "policy.toml: levels: here are high,low, and FAST_PRIORITY_LEVELS=",
        ),
        ('levels = ["high", "a b"]', "policy.toml: levels: 'a b' is not a name of a level: write a small letter"),
        ('levels = ["high"]', "policy.toml: levels: there are 2 to 8 levels, and here are 1"),
        ("levels = 'high,low'", "policy.toml: levels: it has to be a list"),
        ("[level.lwo]\nttl = 1", "policy.toml: level: `lwo` is not a level: did you mean `low`?"),
        ("[level.low]\nttl = 0", "policy.toml: level.low.ttl: input should be greater than or equal to 1"),
        ("[level.low]\nmax_queued = 1.5", "policy.toml: level.low.max_queued: input should be a valid integer"),
        ("[level.low]\nmax_queue = 1", "policy.toml: level.low: `max_queue` is unknown: did you mean `max_queued`?"),
        ("[level.low]\nshare = '10%'", "policy.toml: level.low: this version does not know `share` yet: remove it"),
        ("[level]\nlow = 5", "policy.toml: level.low: it has to be a table"),
        ('[fair]\nby = "key"', "policy.toml: this version does not know `fair` yet: remove it"),
        ('[rate]\nlimits = ["10/s"]', "policy.toml: this version does not know `rate` yet: remove it"),
        ('[busy]\non = "hold"', "policy.toml: this version does not know `busy` yet: remove it"),
        ("rules = []", "policy.toml: `rules` is unknown: did you mean `rule`?"),
        ("rule = 5", "policy.toml: rule: it has to be a list"),
        ("rule = [5]", "policy.toml: rule 1: it has to be a table"),
        ("max_body = 16777217", "policy.toml: max_body: input should be less than or equal to 16777216"),
        ("[[rule]]\nlevel = 'low'", "policy.toml: rule 1: name: it is missing"),
        (rule("") + rule(""), "policy.toml: rule 2 has the name of another rule, 'tested': write another one"),
    ],
)
def test_a_bad_file(text: str, expected: str) -> None:
    """A file that is not one, or has a word of a later version, is one line."""
    (line,) = problems(text)
    assert line.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('unknown = "refuze"', "keys.toml: unknown: 'refuze' is unknown: did you mean `refuse`?"),
        ('field = "X Key"', "keys.toml: field: it is not a name that can stand here"),
        (
            'field = "X-Request-Id"',
            "keys.toml: field: 'X-Request-Id' is the name of a request, which logs show: let another",
        ),
        ('keyless_highest = "nromal"', "keys.toml: keyless_highest: `nromal` is not a level: did you mean `normal`?"),
        (key_entry("a", "k", 'highest = "top"'), "keys.toml: key 1 'a': highest: `top` is not a level"),
        (key_entry("a", "k", "max_in_flight = 4"), "keys.toml: key 1 'a': this version does not know `max_in_flight`"),
        (key_entry("a", "k", 'forward = "no"'), "keys.toml: key 1 'a': forward: input should be a valid boolean"),
        (key_entry("a", "k") + key_entry("a", "l"), "keys.toml: key 2 has the name of another key, 'a'"),
        (key_entry("a", "k") + key_entry("b", "k"), "keys.toml: key 2 'b' is the same key as another one"),
    ],
)
def test_a_bad_keys_file(text: str, expected: str) -> None:
    """The keys file is checked in the same way."""
    (line,) = problems(keys=text)
    assert line.startswith(expected)


@pytest.mark.parametrize("entry", ['sha256 = "fp_secret"', 'sha256 = ["fp_secret"]'])
def test_a_key_in_place_of_its_digest(entry: str) -> None:
    """A key that stands in the file by mistake is in no error."""
    lines = problems(keys=f'[[key]]\nname = "a"\n{entry}')
    assert "key 1 'a'" in lines[0]
    assert not any("fp_secret" in line for line in lines)


def test_a_key_that_no_rule_can_name() -> None:
    """The two files are checked as a pair: the nearest name of a key is shown."""
    (line,) = problems(rule('key = ["labeling"]'), key_entry("labelling", "k"))
    assert line.endswith("key: `labeling` is not in the keys file: did you mean `labelling`?")


def test_a_line_for_each() -> None:
    """All problems of both files are shown together, at most 20."""
    many = "".join(rule('pathh = "/x"', name=f"rule {number}") for number in range(30))
    lines = problems(many, 'unknown = "x"')
    assert len(lines) == 20
    assert len({*problems(rule("refuse = 1\nurgency = 'x'"), "unknown = 'x'")}) == 3
