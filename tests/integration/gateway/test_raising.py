"""A client cannot raise itself: no spelling, no forged field and no trick with its body gets it past a rule.

Each kind of rule has a path of its own. A rule that lowers or refuses must also get what some target may read as what
it names; a rule that raises or lets pass must not get what some target may read as something else.
"""

import gzip
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fast_priority.events import Queued
from fast_priority.scheduling.path_forms import PathCase
from tests.harness import exchange_bytes
from tests.integration.gateway.embedding_rig import Behind, served

HIGH, LOW, PASSES, REFUSED = "high", "low", "pass", "refused"
OUTCOMES = {
    "lowered": 'level = "low"',
    "refused": "refuse = 403",
    "raised": 'level = "high"',
    "passed": "pass_through = true",
}
NAMED = {"lowered": LOW, "refused": REFUSED, "raised": HIGH, "passed": PASSES}
"""What a request gets that is certainly the one that the rule names."""
UNCLEAR = {"lowered": LOW, "refused": REFUSED, "raised": LOW, "passed": HIGH}
"""What a request gets that may be the one, and may be another: never the more important of the two."""
OTHER = {"lowered": HIGH, "refused": HIGH, "raised": LOW, "passed": HIGH}
"""What a request gets that is certainly another one: the level of its path."""
each_outcome = pytest.mark.parametrize("outcome", OUTCOMES)
CONDITIONS = {
    "path": 'path = "/path/{outcome}/a"',
    "prefix": 'path_prefix = "/prefix/{outcome}/"',
    "body": 'path = "/body/{outcome}"\nbody = {{ "/model" = "a" }}',
    "query": 'path = "/query/{outcome}"\nquery = {{ tier = "a" }}',
    "field": 'path = "/field/{outcome}"\nheader = {{ "X-Tier" = "a" }}',
    "urgency": 'path = "/urgency/{outcome}"\nurgency = "1"',
    "key": 'path = "/key/{outcome}"\nkey = ["a"]',
    "client": 'path = "/client/{outcome}"\nclient = ["10.0.0.0/8"]',
    "user": 'path = "/user/{outcome}"\nheader = {{ "X-Forwarded-User" = "root" }}',
    "trusted": 'path = "/trusted/{outcome}"\ntrusted = true\nheader = {{ "X-Forwarded-User" = "root" }}',
}
RULES = "".join(
    f'[[rule]]\nname = "{kind} {outcome}"\n{condition.format(outcome=outcome)}\n{what}\n'
    for (kind, condition), (outcome, what) in itertools.product(CONDITIONS.items(), OUTCOMES.items())
)
LOW_PATHS = tuple(f"{kind}/raised" for kind in CONDITIONS)


def key_entry(name: str, key: str) -> str:
    return f'[[key]]\nname = "{name}"\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n'


class Raw:
    """Sends bytes to a gateway, and sees what it decides about each request."""

    def __init__(self, port: int, levels: list[str]) -> None:
        self._port = port
        self._levels = levels

    def decides(self, target: str, *fields: str, method: str = "GET", body: bytes = b"", more: str = "") -> str:
        """Return the queue that a request has waited in, that it has skipped them, or that it was refused."""
        self._levels.clear()
        length = f"Content-Length: {len(body)}\r\n" if body and "Transfer-Encoding" not in str(fields) else ""
        lines = "".join(f"{field}\r\n" for field in fields)
        head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{length}{lines}{more}\r\n"
        answer = exchange_bytes(self._port, head.encode("latin-1") + body)
        status = int(answer.split()[1])
        if status == 403:
            return REFUSED
        assert status == 200, answer
        return self._levels[-1] if self._levels else PASSES


def served_with(behind: Behind, folder: Path, keys: str, **settings: Any) -> Iterator[Raw]:
    (folder / "policy.toml").write_text(RULES)
    (folder / "keys.toml").write_text(keys)
    app = behind.app(
        policy_file=folder / "policy.toml", keys_file=folder / "keys.toml", prio_base_paths=LOW_PATHS, **settings
    )
    levels: list[str] = []
    app.events.subscribe(Queued, lambda event: levels.append(event.priority.value))
    with served(app) as client:
        assert client.base_url.port is not None
        yield Raw(client.base_url.port, levels)


ALL_MAY = 'keyless_highest = "high"\n' + key_entry("a", "fp_secret-of-a") + key_entry("b", "fp_secret-of-b")


@pytest.fixture(scope="module")
def gateway(lasting_behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raw]:
    """A gateway that trusts no proxy."""
    yield from served_with(lasting_behind, tmp_path_factory.mktemp("raw"), ALL_MAY)


@pytest.fixture(scope="module")
def behind_a_proxy(lasting_behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Raw]:
    """A gateway that takes this machine for a trusted proxy."""
    trusted = ("127.0.0.1",)
    yield from served_with(lasting_behind, tmp_path_factory.mktemp("proxy"), ALL_MAY, trusted_proxies=trusted)


SPELLINGS = [
    "/{kind}/{outcome}/%61",
    "/%{first:02x}{rest}/{outcome}/a",
    "//{kind}/{outcome}/a",
    "/{kind}//{outcome}/a",
    "/./{kind}/{outcome}/a",
    "/x/../{kind}/{outcome}/a",
    "/x/%2e%2e/{kind}/{outcome}/a",
    "/{kind}/{outcome}/a/.",
    "/{kind}/{outcome}/a/x/..",
    "/{kind}/{outcome};v=1/a",
    "/{kind}%2f{outcome}%2fa",
    "/{kind}\\{outcome}\\a",
    "/{kind}/{outcome}/a%00",
    "//other.example/{kind}/{outcome}/a",
    "http://a//{kind}/{outcome}/a",
    "http://other.example/./{kind}/{outcome}/a",
    "/{kind}/{outcome}/%u0061",
]


@each_outcome
@pytest.mark.parametrize("kind", ["path", "prefix"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_a_path(gateway: Raw, spelling: str, kind: str, outcome: str) -> None:
    """A path that some targets read as the one of the rule, and others not, is never the more important of the two.

    If all readings agree, as in a prefix under which only the rest is spelled otherwise, the rule decides.
    """
    target = spelling.format(kind=kind, outcome=outcome, first=ord(kind[0]), rest=kind[1:])
    allowed = {UNCLEAR[outcome]}
    if kind == "prefix" and target.startswith(f"/{kind}/{outcome}/"):
        allowed.add(NAMED[outcome])
    assert gateway.decides(target) in allowed


@each_outcome
@pytest.mark.parametrize("kind", ["path", "prefix"])
@pytest.mark.parametrize("form", ["/{}", "http://a/{}", "HTTP://other.example:81/{}", "/{}?x=1", "/{}/"])
def test_other_forms_of_the_same_path(gateway: Raw, form: str, kind: str, outcome: str) -> None:
    """A whole URL, a query and a slash at the end change nothing."""
    assert gateway.decides(form.format(f"{kind}/{outcome}/a")) == NAMED[outcome]


@each_outcome
def test_capitals(lasting_behind: Behind, tmp_path: Path, outcome: str) -> None:
    """With FAST_PRIORITY_PATH_CASE=ignore, capitals make no other path."""
    for gateway in served_with(lasting_behind, tmp_path, ALL_MAY, path_case=PathCase.IGNORE):
        assert gateway.decides(f"/PATH/{outcome.upper()}/A") == NAMED[outcome]


BODIES: dict[str, dict[str, Any]] = {
    "a name twice": {"body": b'{"model": "a", "model": "b"}'},
    "a name twice, the other way": {"body": b'{"model": "b", "model": "a"}'},
    "a name twice further in": {"body": b'{"model": "b", "x": [{"y": 1, "y": 2}]}'},
    "capitals": {"body": b'{"Model": "a", "model": "b"}'},
    "another type": {"body": b'{"model": ["a"]}'},
    "gzip": {"body": gzip.compress(b'{"model": "a"}'), "more": "Content-Encoding: gzip\r\n"},
    "gzip that is not one": {"body": b'{"model": "b"}', "more": "Content-Encoding: gzip\r\n"},
    "another charset": {"body": b'{"model": "+AGE-"}', "more": "Content-Type: application/json; charset=utf-7\r\n"},
    "chunked": {"body": b'e\r\n{"model": "a"}\r\n0\r\n\r\n', "more": "Transfer-Encoding: chunked\r\n"},
    "broken": {"body": b'{"model": "a"'},
    "two objects": {"body": b'{"model": "a"} {"model": "b"}'},
    "a list": {"body": b'[{"model": "a"}]'},
    "UTF-16": {"body": '{"model": "a"}'.encode("utf-16")},
    "a form": {"body": b"model=a"},
    "too long": {"body": b'{"model": "a", "x": "' + b"x" * 70_000 + b'"}'},
    "too deep": {"body": b'{"model": "a", "x": ' + b"[" * 2000 + b"]" * 2000 + b"}"},
    "NaN": {"body": b'{"model": "a", "x": NaN}'},
}


@each_outcome
@pytest.mark.parametrize("trick", BODIES)
def test_bodies(gateway: Raw, trick: str, outcome: str) -> None:
    """A body that cannot be looked at, or that programs read in different ways, is never the more important one."""
    request = {**BODIES[trick]}
    if "chunked" in str(request.get("more")):
        request = {"body": request["body"], "more": ""}
        found = gateway.decides(f"/body/{outcome}", "Transfer-Encoding: chunked", method="POST", **request)
    else:
        found = gateway.decides(f"/body/{outcome}", method="POST", **request)
    assert found == UNCLEAR[outcome]


@each_outcome
def test_clear_bodies(gateway: Raw, outcome: str) -> None:
    """A body that can be looked at is judged by its value, whatever its type field says."""
    plain = {"method": "POST", "more": "Content-Type: text/plain\r\n"}
    assert gateway.decides(f"/body/{outcome}", body=b'{"model": "\\u0061"}', **plain) == NAMED[outcome]
    assert gateway.decides(f"/body/{outcome}", body=b'{"model": "b"}', **plain) == OTHER[outcome]
    assert gateway.decides(f"/body/{outcome}") == OTHER[outcome]


@each_outcome
@pytest.mark.parametrize("query", ["tier=a&tier=b", "tier=b&t%69er=a", "x=1;tier=a", "tier=a;x"])
def test_queries(gateway: Raw, query: str, outcome: str) -> None:
    """A name that stands in the query twice, for some program, is never the more important one."""
    assert gateway.decides(f"/query/{outcome}?{query}") == UNCLEAR[outcome]


@each_outcome
def test_clear_queries(gateway: Raw, outcome: str) -> None:
    """A name and a value are the same percent-encoded."""
    assert gateway.decides(f"/query/{outcome}?%74ier=%61") == NAMED[outcome]
    assert gateway.decides(f"/query/{outcome}?tier=b") == OTHER[outcome]


@each_outcome
@pytest.mark.parametrize(("kind", "name", "value"), [("field", "X-Tier", "a"), ("urgency", "Priority", "u=1")])
def test_fields_on_several_lines(gateway: Raw, kind: str, name: str, value: str, outcome: str) -> None:
    """A field on two lines, of which programs read the first, the last or both, is never the more important one."""
    for lines in ((value, "u=5"), ("u=5", value), (value, value)):
        assert gateway.decides(f"/{kind}/{outcome}", *(f"{name}: {line}" for line in lines)) == UNCLEAR[outcome]
    assert gateway.decides(f"/{kind}/{outcome}", f"{name.lower()}:\t {value} ") == NAMED[outcome]


@each_outcome
def test_a_field_with_underscores(gateway: Raw, outcome: str) -> None:
    """A field that only CGI takes for the one of the rule is another field."""
    assert gateway.decides(f"/field/{outcome}", "X_Tier: a") == OTHER[outcome]


@each_outcome
@pytest.mark.parametrize(
    "key",
    [
        "Bearer fp_secret-of-",
        "Bearer fp_secret-of-aa",
        "Bearer fp_secret-of-A",
        "Bearer",
        "Bearer a",
        "Basic fp_secret-of-a",
        "fp_secret-of-a",
        "Bearer fp_secret-of-a, Bearer fp_secret-of-b",
    ],
)
def test_a_part_of_a_key(gateway: Raw, key: str, outcome: str) -> None:
    """What is not exactly a key is no key: no rule for keys counts."""
    assert gateway.decides(f"/key/{outcome}", f"Authorization: {key}") == OTHER[outcome]


@each_outcome
def test_two_keys(gateway: Raw, outcome: str) -> None:
    """Two keys, of which the target may read either, are never the more important one."""
    for first, second in itertools.permutations("ab"):
        keys = (f"Authorization: Bearer fp_secret-of-{one}" for one in (first, second))
        assert gateway.decides(f"/key/{outcome}", *keys) == UNCLEAR[outcome]
    assert gateway.decides(f"/key/{outcome}", "authorization: bearer fp_secret-of-a") == NAMED[outcome]


@pytest.mark.parametrize("keys", [[], ["Authorization: Bearer other"], ["Authorization: Bearer fp_secret-of-a"] * 2])
@pytest.mark.parametrize("kind", ["path", "field", "body", "urgency"])
def test_a_key_that_is_left_out(lasting_behind: Behind, tmp_path: Path, kind: str, keys: list[str]) -> None:
    """Who shows no known key goes no higher than the last level, whatever rule would raise it."""
    fields = ["X-Tier: a", "Priority: u=1", *keys]
    for gateway in served_with(lasting_behind, tmp_path, key_entry("a", "fp_secret-of-a")):
        target = "/path/raised/a" if kind == "path" else f"/{kind}/raised"
        assert gateway.decides(target, *fields, method="POST", body=b'{"model": "a"}') == LOW
        assert gateway.decides("/orders", *fields) == LOW


FORGED = [
    ["X-Forwarded-User: root"],
    ["X_Forwarded_User: root"],
    ["X-Forwarded-User: root", "X-Forwarded-For: 10.0.0.1"],
    ["X-Forwarded-User: root", "Forwarded: for=10.0.0.1"],
    ["X-Forwarded-User: root", "X-Real-IP: 10.0.0.1", "Via: 1.1 proxy"],
]


@each_outcome
@pytest.mark.parametrize("fields", FORGED)
@pytest.mark.parametrize("kind", ["trusted", "user", "client"])
def test_forged_fields_of_proxies(gateway: Raw, kind: str, fields: list[str], outcome: str) -> None:
    """Fields of a proxy count for nothing if a client writes them itself."""
    assert gateway.decides(f"/{kind}/{outcome}", *fields) == OTHER[outcome]


@each_outcome
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["X-Forwarded-For: 10.0.0.1"], NAMED),
        (["X-Forwarded-For: 192.0.2.1, 10.0.0.1"], NAMED),
        (["X-Forwarded-For: 10.0.0.1, 192.0.2.1"], OTHER),
        (["X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: 192.0.2.1"], OTHER),
        (["Forwarded: for=10.0.0.1, for=192.0.2.1"], OTHER),
        (["Forwarded: for=10.0.0.1", "X-Forwarded-For: 192.0.2.1"], UNCLEAR),
        (["Forwarded: for=192.0.2.1", "X-Forwarded-For: 10.0.0.1"], UNCLEAR),
        (['Forwarded: for="10.0.0.1', "X-Forwarded-For: 10.0.0.1"], UNCLEAR),
        ([], UNCLEAR),
    ],
)
def test_the_address_behind_a_proxy(
    behind_a_proxy: Raw, fields: list[str], expected: dict[str, str], outcome: str
) -> None:
    """Of what a trusted proxy passes on, the address that the proxy itself has added counts."""
    assert behind_a_proxy.decides(f"/client/{outcome}", *fields) == expected[outcome]


@each_outcome
def test_fields_of_a_trusted_proxy(behind_a_proxy: Raw, outcome: str) -> None:
    """They count, and never in the spelling that the gateway drops."""
    address = "X-Forwarded-For: 192.0.2.1"
    target = f"/trusted/{outcome}"
    assert behind_a_proxy.decides(target, address, "X-Forwarded-User: root") == NAMED[outcome]
    assert behind_a_proxy.decides(target, address, "X_Forwarded_User: root") == OTHER[outcome]
    assert behind_a_proxy.decides(target, address, *["X-Forwarded-User: root"] * 2) == UNCLEAR[outcome]
