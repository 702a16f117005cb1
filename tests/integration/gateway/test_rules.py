"""Rules and keys in a gateway: which queue a request waits in, who is refused, and what the target gets."""

import gzip
import hashlib
import json
import logging
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.events import Queued
from fast_priority.local.free_ports import free_port
from fast_priority.observability import AccessLog
from fast_priority.server.http_protocol import HttpProtocol
from tests.harness import problem_of, running_stack, sent_fields, wait_until
from tests.integration.gateway.embedding_rig import OWN_PAGES, Behind, served

HIGH, LOW, PASSES = "high", "low", "pass"
POLICY = """
max_body = 1000000

[[rule]]
name = "preflights"
method = ["OPTIONS"]
pass_through = true

[[rule]]
name = "closed"
path_prefix = "/closed/"
refuse = 403
errors = "openai"

[[rule]]
name = "gone"
path = "/gone"
refuse = 410

[[rule]]
name = "batch team"
header = { "X-Team" = "batch" }
level = "low"

[[rule]]
name = "large model"
path = "/v1/chat"
body = { "/model" = { starts = "llama-70b" } }
level = "low"

[[rule]]
name = "urgent"
query = { urgent = "1" }
path_prefix = "/low/"
level = "high"
"""
SERVERS = ["ours", "uvicorn"]


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = f"""
unknown = "refuse"

[[key]]
name = "chat"
sha256 = "{digest("chat-key")}"

[[key]]
name = "batch"
sha256 = "{digest("batch-key")}"
highest = "low"
forward = false
"""


class Asking:
    """A client of a gateway with rules; it sees in which queue each request waits."""

    def __init__(self, client: httpx.Client, levels: list[str], lines: list[str]) -> None:
        self.client = client
        self._levels = levels
        self._lines = lines

    def line(self, response: httpx.Response) -> dict[str, Any]:
        """Return the line of the access log for the request of this response."""
        name = response.headers["x-request-id"]
        wait_until("it has a line", lambda: any(name in line for line in self._lines))
        (line,) = (line for line in self._lines if name in line)
        return dict(json.loads(line))

    def level(self, method: str, path: str, **request: Any) -> str:
        """Return the queue that a request has waited in, or that it has skipped them."""
        self._levels.clear()
        response = self.client.request(method, path, **request)
        assert response.status_code == 200, response.text
        return self._levels[-1] if self._levels else PASSES


@contextmanager
def asking(behind: Behind, folder: Path, keys: str | None = None, server: str = "ours") -> Iterator[Asking]:
    (folder / "policy.toml").write_text(POLICY)
    settings: dict[str, Any] = {"policy_file": folder / "policy.toml"}
    if keys is not None:
        (folder / "keys.toml").write_text(keys)
        settings["keys_file"] = folder / "keys.toml"
    app = behind.app(**settings)
    levels: list[str] = []
    lines: list[str] = []
    AccessLog(0, lines.append, for_people=False).listen(app.events)
    app.events.subscribe(Queued, lambda event: levels.append(event.priority.value))
    with served(app, server) as client:
        yield Asking(client, levels, lines)


@pytest.fixture(params=SERVERS)
def gateway(request: pytest.FixtureRequest, behind: Behind, tmp_path: Path) -> Iterator[Asking]:
    with asking(behind, tmp_path, server=request.param) as asked:
        yield asked


def model(name: str, padding: int = 0) -> bytes:
    return json.dumps({"model": name, "messages": "x" * padding}).encode()


def in_chunks(data: bytes) -> Iterator[bytes]:
    yield data


def test_levels_by_the_head(gateway: Asking) -> None:
    """Field, query and method choose the queue; what no rule matches gets what its path says."""
    assert gateway.level("GET", "/orders") == HIGH
    assert gateway.level("GET", "/orders", headers={"X-Team": "batch"}) == LOW
    assert gateway.level("GET", "/low/orders") == LOW
    assert gateway.level("GET", "/low/orders?urgent=1") == HIGH
    assert gateway.level("OPTIONS", "/orders") == PASSES
    assert gateway.level("GET", "/direct") == PASSES


@pytest.mark.parametrize("padding", [0, 100_000, 500_000])
def test_levels_by_the_body(gateway: Asking, padding: int) -> None:
    """A value of the body chooses the queue, and the target gets the same bytes."""
    large, small = model("llama-70b-chat", padding), model("llama-8b", padding)
    assert gateway.level("POST", "/v1/chat", content=large) == LOW
    assert gateway.level("POST", "/v1/chat", content=small) == HIGH
    assert gateway.level("POST", "/v1/other", content=large) == HIGH
    echoed = gateway.client.post("/v1/chat", content=small).json()
    assert echoed["body"] == small.decode()


@pytest.mark.parametrize(
    "request_of",
    [
        lambda: {"content": in_chunks(model("llama-8b"))},
        lambda: {"content": gzip.compress(model("llama-8b")), "headers": {"Content-Encoding": "gzip"}},
        lambda: {"content": model("llama-8b")[:-1]},
        lambda: {"content": b'{"model": "llama-8b", "model": "llama-70b"}'},
        lambda: {"content": b'{"Model": "llama-70b"}'},
        lambda: {"content": model("llama-8b", 1_000_000)},
        lambda: {"data": {"model": "llama-70b"}},
    ],
    ids=["chunked", "gzip", "broken", "a name twice", "capitals", "too large", "a form"],
)
def test_a_body_that_cannot_be_looked_at(gateway: Asking, request_of: Callable[[], dict[str, Any]]) -> None:
    """It leads to the less important queue, and reaches the target as it is."""
    assert gateway.level("POST", "/v1/chat", **request_of()) == LOW


def test_a_refusal(gateway: Asking) -> None:
    """A rule can refuse; its error has the form of OpenAI's API as well, and the connection is not used again."""
    response = gateway.client.post("/closed/chat", content=model("x"))
    problem = problem_of(response)
    assert (response.status_code, problem["type"]) == (403, "urn:fast-priority:refused-by-rule")
    assert problem["error"] == {
        "message": "rule 'closed' refuses it",
        "type": "permission_error",
        "code": "refused-by-rule",
    }
    assert response.headers["connection"] == "close"


def test_errors_of_other_rules(gateway: Asking) -> None:
    """An error of a request that another rule decides has no such member."""
    response = gateway.client.get("/gone")
    assert response.status_code == 410
    assert "error" not in problem_of(response)


def test_other_errors_of_a_rule(behind: Behind, tmp_path: Path) -> None:
    """All of the gateway's own errors to requests of a rule have its form, with a task and without one."""
    (tmp_path / "policy.toml").write_text(
        '[[rule]]\nname = "a"\npath_prefix = "/"\nlevel = "high"\nerrors = "openai"\n'
        "header = { direct = { absent = true } }\n"
        '[[rule]]\nname = "b"\npath_prefix = "/"\npass_through = true\nerrors = "openai"\n'
    )
    nothing_there = f"http://127.0.0.1:{free_port()}"
    app = behind.app(policy_file=tmp_path / "policy.toml", target_base_url=nothing_there, slots=1)
    with served(app) as client:
        for headers in ({}, {"direct": "1"}):
            for content in (None, b"{}"):
                problem = problem_of(client.request("PUT", "/orders", headers=headers, content=content))
                assert problem["error"]["code"] == "target-refused"
                assert problem["error"]["type"] == "server_error"


@pytest.mark.parametrize("server", SERVERS)
def test_without_a_known_key(behind: Behind, tmp_path: Path, server: str) -> None:
    """It gets 401 with a challenge; own pages, and what a rule lets pass, need no key."""
    with asking(behind, tmp_path, KEYS, server) as gateway:
        for headers, challenge in (
            ({}, 'Bearer realm="fast-priority"'),
            ({"Authorization": "Bearer other"}, 'Bearer realm="fast-priority", error="invalid_token"'),
        ):
            response = gateway.client.get("/orders", headers=headers)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, challenge)
            assert problem_of(response)["type"] == "urn:fast-priority:key-required"
            assert "other" not in response.text
        for page in OWN_PAGES:
            assert gateway.client.get(page).status_code == 200
        assert gateway.level("OPTIONS", "/orders") == PASSES


def test_no_key_is_in_the_log(behind: Behind, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither a key that is known nor one that is not, nor its digest, is in any line of the log."""
    caplog.set_level(logging.DEBUG)
    with asking(behind, tmp_path, KEYS) as gateway:
        for key in ("chat-key", "other-key"):
            gateway.client.get("/orders", headers={"Authorization": f"Bearer {key}"})
        wait_until("the refusal is logged", lambda: "key-required" in caplog.text)
    for secret in ("chat-key", "other-key", digest("chat-key"), digest("other-key")):
        assert secret not in caplog.text


def test_keys(behind: Behind, tmp_path: Path) -> None:
    """A key caps the level, and the target gets the field with it, unless the key's entry says no."""
    with asking(behind, tmp_path, KEYS) as gateway:
        levels, keys_at_target = {}, {}
        for key in ("chat-key", "batch-key"):
            headers = {"Authorization": f"Bearer {key}"}
            levels[key] = gateway.level("GET", "/orders", headers=headers)
            fields = dict(sent_fields(gateway.client.get("/orders", headers=headers)))
            keys_at_target[key] = fields.get("authorization")
    assert levels == {"chat-key": HIGH, "batch-key": LOW}
    assert keys_at_target == {"chat-key": "Bearer chat-key", "batch-key": None}


@pytest.fixture(params=SERVERS)
def keyed(request: pytest.FixtureRequest, behind: Behind, tmp_path: Path) -> Iterator[Asking]:
    with asking(behind, tmp_path, KEYS, request.param) as asked:
        yield asked


def test_a_line_names_rule_and_key(keyed: Asking) -> None:
    """The access log has the level, the rule and the key of a request, whether its head or its body decided.

    Server-Timing has its time in the queue then, too.
    """
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/orders", {}),
        ("GET", "/orders", {"headers": {"X-Team": "batch"}}),
        ("OPTIONS", "/orders", {}),
        ("POST", "/v1/chat", {"content": model("llama-70b")}),
        ("POST", "/v1/chat", {"content": model("llama-8b")}),
    ]
    found = []
    for method, path, more in requests:
        headers = {"Authorization": "Bearer chat-key", **more.pop("headers", {})}
        response = keyed.client.request(method, path, headers=headers, **more)
        line = keyed.line(response)
        assert ("queue;" in response.headers["server-timing"]) is (line["level"] != "pass_through")
        found.append((line["level"], line["rule"], line["key"], line["end"]))
    assert found == [
        ("high", None, "chat", "answered"),
        ("low", "batch team", "chat", "answered"),
        ("pass_through", "preflights", "chat", "answered"),
        ("low", "large model", "chat", "answered"),
        ("high", None, "chat", "answered"),
    ]


def test_a_refusal_is_seen(keyed: Asking) -> None:
    """A request that a rule or its key refuses has a name, a line and its place in the metrics, as others have."""
    headers = {"Authorization": "Bearer chat-key", "X-Request-ID": "r-closed"}
    closed = keyed.client.get("/closed/a", headers=headers)
    gone = keyed.client.get("/gone", headers={"Authorization": "Bearer chat-key"})
    keyless = keyed.client.get("/orders")
    lines = [keyed.line(response) for response in (closed, gone, keyless)]
    assert [(line["status"], line["level"], line["rule"], line["key"], line["end"]) for line in lines] == [
        (403, "none", "closed", "chat", "refused-by-rule"),
        (410, "none", "gone", "chat", "refused-by-rule"),
        (401, "none", None, None, "key-required"),
    ]
    assert {problem_of(closed)["request_id"], closed.headers["x-request-id"]} == {"r-closed"}
    assert "error" in problem_of(closed)
    page = keyed.client.get("/gateway_metrics").text
    assert 'fast_priority_refused_total{level="none",reason="refused-by-rule"} 2.0' in page
    assert 'fast_priority_refused_total{level="none",reason="key-required"} 1.0' in page
    assert 'fast_priority_requests_total{code="410",level="none"} 1.0' in page
    assert "fast_priority_received_total 3.0" in page


def test_no_task_is_made(behind: Behind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request without a body needs no task under rules and keys, either."""
    made: list[str] = []
    run_in_task: Callable[..., None] = HttpProtocol._run_in_task

    def counted(self: HttpProtocol, cycle: Any, app: Any) -> None:
        made.append(cycle.scope["path"])
        run_in_task(self, cycle, app)

    with asking(behind, tmp_path, KEYS) as gateway:
        headers = {"Authorization": "Bearer chat-key"}
        gateway.level("GET", "/v1/chat", headers=headers)
        monkeypatch.setattr(HttpProtocol, "_run_in_task", counted)
        assert gateway.level("GET", "/v1/chat", headers=headers) == HIGH
    assert made == []


@pytest.mark.parametrize(("path", "is_asked_for"), [("/v1/chat", True), ("/v1/other", False)])
def test_a_body_is_asked_for_only_where_it_decides(
    behind: Behind, tmp_path: Path, path: str, *, is_asked_for: bool
) -> None:
    """A client that waits for 100 before a large body gets it before the queue only if a rule needs the body."""
    data = model("llama-8b", 500_000)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(data)}\r\nExpect: 100-continue\r\n\r\n"
    behind.stack.redis.set("rq:suspended", 1)
    try:
        with asking(behind, tmp_path) as gateway, socket.create_connection(_address(gateway), timeout=30) as client:
            client.sendall(head.encode())
            if is_asked_for:
                assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
                client.sendall(data)
            wait_until("it waits", lambda: bool(gateway._levels))
            assert gateway._levels == [HIGH]
            if not is_asked_for:
                client.setblocking(False)
                with pytest.raises(BlockingIOError):
                    client.recv(1000)
    finally:
        behind.stack.redis.delete("rq:suspended")


def test_a_client_that_leaves_in_the_middle_of_its_body(behind: Behind, tmp_path: Path) -> None:
    """Nothing of its request reaches a queue, and others are served."""
    with asking(behind, tmp_path) as gateway:
        with socket.create_connection(_address(gateway), timeout=30) as client:
            client.sendall(b"POST /v1/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n{")
        assert gateway.level("POST", "/v1/chat", content=model("llama-8b")) == HIGH
        assert "/v1/chat" in behind.saw()


def test_a_handshake(behind: Behind, tmp_path: Path) -> None:
    """A request for a WebSocket is decided by rules as every other."""
    with asking(behind, tmp_path) as gateway:
        head = (
            "GET /echo HTTP/1.1\r\nHost: a\r\nX-Team: batch\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        with socket.create_connection(_address(gateway), timeout=30) as client:
            client.sendall(head.encode())
            assert re.match(rb"HTTP/1.1 \d\d\d ", client.recv(1000))
        assert gateway._levels[-1] == LOW


def test_a_bad_file_ends_the_start(behind: Behind, tmp_path: Path) -> None:
    """A gateway does not start with rules or keys that it cannot use."""
    (tmp_path / "policy.toml").write_text("[[rule]]\nname = 'a'\nlevel = 'top'\n")
    with pytest.raises(ConfigurationError, match="rule 1 'a': level: `top` is not a level"):
        behind.app(policy_file=tmp_path / "policy.toml")
    (tmp_path / "policy.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"FAST_PRIORITY_POLICY_FILE=.*it is not UTF-8: save it as UTF-8"):
        behind.app(policy_file=tmp_path / "policy.toml")


def _address(gateway: Asking) -> tuple[str, int]:
    url = gateway.client.base_url
    assert url.port is not None
    return url.host, url.port


def test_rules_change_while_the_gateway_runs(behind: Behind, tmp_path: Path) -> None:
    """New rules count for the next request, and health shows which are in force."""
    with asking(behind, tmp_path) as gateway:
        before = gateway.client.get("/gateway_health").json()["policy"]
        assert gateway.level("GET", "/orders") == HIGH
        (tmp_path / "policy.toml").write_text("[[rule]]\nname = 'all'\nlevel = 'low'\n")
        wait_until("they count", lambda: gateway.client.get("/gateway_health").json()["policy"] != before)
        assert gateway.level("GET", "/orders") == LOW
        (tmp_path / "policy.toml").write_text("rule = 5")
        wait_until("it is noticed", lambda: bool(gateway.client.get("/gateway_health").json()["warnings"]))
        assert gateway.level("GET", "/orders") == LOW


def test_a_signal_to_read_them_again(behind: Behind, tmp_path: Path) -> None:
    """SIGHUP makes a gateway process read its files, and does not end it."""
    (tmp_path / "policy.toml").write_text(POLICY)
    with running_stack(behind.stack.redis_port, tmp_path) as stack:
        stack.start_gateway(FAST_PRIORITY_POLICY_FILE=str(tmp_path / "policy.toml"))
        process = stack.processes["gateway"]
        process.send_signal(signal.SIGHUP)
        (log,) = tmp_path.glob("gateway-*.log")
        wait_until("they are read", lambda: "were read again and have not changed" in log.read_text())
        assert process.poll() is None
