"""The fields in which the gateway names itself and the client, queued and on pass-through."""

import httpx
import pytest

from tests.harness import Stack, exchange_bytes, problem_of, scripted_target, sent_fields, without_identity

PATHS = ["/queued", "/direct"]
SAID = {
    "x-forwarded-for": "192.0.2.7",
    "x-forwarded-host": "public.example",
    "x-forwarded-proto": "https",
    "forwarded": "for=192.0.2.7",
    "x-real-ip": "192.0.2.7",
    "x-original-url": "/low",
    "x-rewrite-url": "/low",
    "x-original-uri": "/low",
    "via": "1.0 before",
}


def raw_request(stack: Stack, head: str) -> tuple[str, bytes]:
    """Send a request byte for byte; return the head of the response, in lower case, and its body."""
    answer, _, body = exchange_bytes(stack.gateway_port, head.encode()).partition(b"\r\n\r\n")
    return answer.decode("latin-1").lower(), body


@pytest.mark.parametrize("path", PATHS)
def test_a_client_is_not_believed(lasting_stack: Stack, path: str) -> None:
    """By default no proxy is trusted: the fields about the client have what the gateway sees, and Via has both."""
    sent = sent_fields(lasting_stack.client.get(path, headers=SAID))
    host = f"127.0.0.1:{lasting_stack.gateway_port}"
    said = [(name, without_identity(value)) for name, value in sent if "forwarded" in name or name in SAID]
    assert said == [
        ("via", "1.0 before"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", host),
        ("x-forwarded-proto", "http"),
        ("forwarded", f'for=127.0.0.1;host="{host}";proto=http'),
        ("via", "1.1 fast-priority"),
    ]


def test_a_trusted_proxy_is_believed(stack: Stack) -> None:
    """From an address in FAST_PRIORITY_TRUSTED_PROXIES the fields about the client are kept, and the proxy is added."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_TRUSTED_PROXIES="192.0.2.0/24,127.0.0.0/8", FAST_PRIORITY_PASS_THROUGH="direct")
    stack.start_workers()
    for path in PATHS:
        sent = sent_fields(stack.client.get(path, headers=SAID))
        host = f"127.0.0.1:{stack.gateway_port}"
        assert [value for name, value in sent if name == "x-forwarded-for"] == ["192.0.2.7, 127.0.0.1"]
        assert [value for name, value in sent if name == "x-forwarded-host"] == ["public.example"]
        assert [value for name, value in sent if name == "x-forwarded-proto"] == ["https"]
        assert [value for name, value in sent if name == "x-real-ip"] == ["192.0.2.7"]
        assert [value for name, value in sent if name == "forwarded"] == [
            "for=192.0.2.7",
            f'for=127.0.0.1;host="{host}";proto=http',
        ]


@pytest.mark.parametrize("path", PATHS)
def test_the_clients_version_is_in_via(lasting_stack: Stack, path: str) -> None:
    """Via of a request names HTTP/1.0 if the client uses it; Via of its response has the target's version."""
    head, body = raw_request(lasting_stack, f"GET {path} HTTP/1.0\r\n\r\n")
    vias = [value for name, value in sent_fields(httpx.Response(200, content=body)) if name == "via"]
    assert [without_identity(via) for via in vias] == ["1.0 fast-priority"]
    assert "\r\nvia: 1.1 fast-priority\r\n" in f"{without_identity(head)}\r\n"


@pytest.mark.parametrize("path", [*PATHS, "/direct?mock_status=204", "/queued?mock_status=304"])
def test_responses_carry_via_once(lasting_stack: Stack, path: str) -> None:
    """A response of the target names the gateway in Via, once."""
    vias = lasting_stack.client.get(path).headers.get_list("via")
    assert [without_identity(via) for via in vias] == ["1.1 fast-priority"]


def test_the_targets_version_and_via_are_kept(stack: Stack) -> None:
    """Via of a response has the HTTP version of the target, after the entries that were there before."""
    answer = b"HTTP/1.0 200 OK\r\nVia: 1.1 cache\r\nContent-Length: 0\r\n\r\n"
    with scripted_target(lambda connection, head: connection.sendall(answer)) as (port, _):
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        stack.start_workers()
        for path in PATHS:
            vias = stack.client.get(path).headers.get_list("via")
            assert [without_identity(via) for via in vias] == ["1.1 cache", "1.0 fast-priority"]


def test_the_gateways_own_errors_carry_no_via(stack: Stack) -> None:
    """An error of the gateway itself has no Via: it passed no intermediary."""
    stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
    response = stack.client.get("/direct")
    assert problem_of(response)["type"] == "urn:fast-priority:target-refused"
    assert "via" not in response.headers


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_max_forwards_is_counted_down(lasting_stack: Stack, method: str, path: str) -> None:
    """OPTIONS and TRACE that may be forwarded reach the target with Max-Forwards decreased by one."""
    sent = sent_fields(lasting_stack.client.request(method, path, headers={"max-forwards": "3"}))
    assert ("max-forwards", "2") in sent


@pytest.mark.parametrize("path", PATHS)
def test_max_forwards_on_other_methods(lasting_stack: Stack, path: str) -> None:
    """On other methods Max-Forwards is forwarded unchanged."""
    assert ("max-forwards", "0") in sent_fields(lasting_stack.client.get(path, headers={"max-forwards": "0"}))


@pytest.mark.parametrize("path", PATHS)
def test_the_last_forward_of_trace(lasting_stack: Stack, path: str) -> None:
    """TRACE with Max-Forwards 0 is answered with its own bytes, without secrets, and never reaches the target."""
    lasting_stack.forget_arrivals()
    request = f"TRACE {path}?a=%20 HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nCookie: hush\r\nConnection: close\r\n\r\n"
    head, body = raw_request(lasting_stack, request)
    assert body == f"TRACE {path}?a=%20 HTTP/1.1\r\nhost: x\r\nmax-forwards: 0\r\nconnection: close\r\n\r\n".encode()
    assert head.startswith("http/1.1 200")
    assert "\r\ncontent-type: message/http" in head
    assert "\r\nvia:" not in head
    assert lasting_stack.arrivals() == []


@pytest.mark.parametrize("path", PATHS)
def test_the_last_forward_of_options(lasting_stack: Stack, path: str) -> None:
    """OPTIONS with Max-Forwards 0 is answered 200 with no body, and never reaches the target."""
    lasting_stack.forget_arrivals()
    response = lasting_stack.client.options(path, headers={"max-forwards": "0"})
    assert (response.status_code, response.headers["content-length"], response.content) == (200, "0", b"")
    assert "via" not in response.headers
    assert lasting_stack.arrivals() == []
