"""The gateway's own errors in browsers: pages of listed origins may read them, and the target's responses stay its own.

The cases of origins are in tests/unit/http/test_cors.py.
"""

from collections.abc import Mapping

import httpx
import pytest

from tests.harness import Background, Stack, exchange_bytes, problem_of, wait_until

LISTED, OTHER = "https://app.example", "https://other.example"
CORS = {"FAST_PRIORITY_CORS_ORIGINS": f"{LISTED},http://localhost:5173"}
MARKS = ("access-control-allow-origin", "access-control-allow-credentials", "access-control-expose-headers")


def is_readable(fields: Mapping[str, str], origin: str) -> bool:
    """Return whether a page of this origin may read an error. If not, there is no field for any page."""
    assert fields["vary"] == "Origin"
    found = [fields.get(name) for name in MARKS]
    assert found in ([origin, "true", "Retry-After"], [None, None, None])
    return found[0] is not None


def fields_of(answer: bytes) -> dict[str, str]:
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def send(port: int, line: str, origin: str, rest: str) -> bytes:
    head = f"{line} HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{rest}\r\n"
    return exchange_bytes(port, head.encode())


def test_errors_of_gateway_and_server(stack: Stack) -> None:
    """Each own error echoes a listed origin and no other: of the target, of a page, and of what the server refuses."""
    stack.start_gateway(**CORS, FAST_PRIORITY_PASS_THROUGH="direct", FAST_PRIORITY_MAX_BODY="1024")
    websocket = "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    cases = {
        "502": ("GET /direct", "Connection: close\r\n"),
        "400": ("GET /direct", "Bad Field: 1\r\n"),
        "413": ("POST /direct", "Content-Length: 2000\r\n"),
        "431": ("GET /direct", f"X-Large: {'x' * 70_000}\r\n"),
        "400 page": ("GET /gateway_health", f"{websocket}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
    }
    for status, (line, rest) in cases.items():
        for origin, may_read in ((LISTED, True), (OTHER, False), ("null", False)):
            answer = send(stack.gateway_port, line, origin, rest)
            assert answer.startswith(f"HTTP/1.1 {status[:3]} ".encode()), (status, answer[:300])
            assert is_readable(fields_of(answer), origin) is may_read, status
    without = exchange_bytes(stack.gateway_port, b"GET /direct HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert not is_readable(fields_of(without), "")


@pytest.mark.parametrize(("origin", "may_read"), [(LISTED, True), (OTHER, False)])
def test_a_connection_over_the_limit(stack: Stack, origin: str, may_read: bool) -> None:
    """The 503 of a connection over the limit, of which nothing is parsed, has the fields beside Retry-After."""
    stack.start_gateway(**CORS, FAST_PRIORITY_MAX_CONNECTIONS="2")
    stack.client.close()
    with Background(2) as background:
        for _ in range(2):
            background.send(lambda: httpx.get(f"{stack.url}/queued", trust_env=False, timeout=60))
        wait_until("both wait", lambda: stack.redis.llen("rq:queue:high") == 2)
        refused = httpx.get(f"{stack.url}/queued", headers={"Origin": origin}, trust_env=False)
        stack.processes["gateway"].kill()
    assert problem_of(refused)["type"] == "urn:fast-priority:too-many-connections"
    assert is_readable(refused.headers, origin) is may_read
    assert "retry-after" in refused.headers


def test_preflights_and_responses_are_the_targets(stack: Stack) -> None:
    """A preflight is queued and forwarded like other requests, and no response of the target gets a field."""
    stack.start_mock()
    stack.start_gateway(**CORS)
    stack.start_workers()
    asked = {"Origin": LISTED, "Access-Control-Request-Method": "PUT"}
    for answer in (stack.client.options("/x", headers=asked), stack.client.get("/x", headers={"Origin": LISTED})):
        direct = stack.mock.request(answer.request.method, "/x", headers={"Origin": LISTED})
        assert [answer.headers.get(name) for name in (*MARKS, "vary")] == [
            direct.headers.get(name) for name in (*MARKS, "vary")
        ]
    methods = [arrival["method"] for arrival in stack.arrivals()]
    assert methods[0] == "OPTIONS"


def test_without_the_setting(stack: Stack) -> None:
    """Without the setting, errors have none of these fields, whatever the origin."""
    stack.start_gateway()
    answer = send(stack.gateway_port, "GET /x", LISTED, "Bad Field: 1\r\n")
    assert not {*MARKS, "vary"} & fields_of(answer).keys()
