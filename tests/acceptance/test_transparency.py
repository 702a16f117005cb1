"""Requests and responses pass the gateway unchanged, queued and on pass-through."""

import hashlib
import re
import socket
import time
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tests.harness import Stack, exchange_bytes, scripted_target, sent_fields, without_identity

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "PURGE"]
PATHS = ["/queued", "/direct"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_reaches_the_target(lasting_stack: Stack, method: str, path: str) -> None:
    """A request arrives with the method it was sent with."""
    assert lasting_stack.client.request(method, path).json()["method"] == method


@pytest.mark.parametrize("path", PATHS)
def test_head_gets_the_length_and_no_body(lasting_stack: Stack, path: str) -> None:
    """HEAD is answered with the target's Content-Length and no bytes."""
    response = lasting_stack.client.head(path, params={"mock_size": "1234"})
    assert (response.headers["content-length"], response.content) == ("1234", b"")


@pytest.mark.parametrize("path", PATHS)
def test_binary_bodies_arrive_intact(lasting_stack: Stack, path: str) -> None:
    """A request body of every byte value, larger than any buffer on the way, arrives unchanged."""
    body = bytes(range(256)) * 4096
    echoed = lasting_stack.client.post(path, content=body).json()
    assert (echoed["body_length"], echoed["body_sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("path", PATHS)
def test_chunked_bodies_arrive_intact(lasting_stack: Stack, path: str) -> None:
    """A request body of unknown length arrives whole."""
    echoed = lasting_stack.client.post(path, content=iter([b"one,", b"two,", b"three"])).json()
    assert echoed["body"] == "one,two,three"


@pytest.mark.parametrize("prefix", ["", "/direct"])
def test_binary_responses_come_back_intact(lasting_stack: Stack, prefix: str) -> None:
    """A response of every byte value comes back unchanged."""
    path = "/mock/binary" if not prefix else "/direct?mock_size=70000"
    through, straight = lasting_stack.client.get(path), lasting_stack.mock.get(path)
    assert through.content == straight.content


def test_repeated_set_cookie_fields_stay_apart(lasting_stack: Stack) -> None:
    """Two Set-Cookie fields come back as two, in order."""
    response = lasting_stack.client.get("/mock/cookies")
    straight = lasting_stack.mock.get("/mock/cookies")
    cookies = response.headers.get_list("set-cookie")
    assert len(cookies) == 2
    assert cookies == straight.headers.get_list("set-cookie")


def test_no_cookie_is_kept_for_the_next_request(lasting_stack: Stack) -> None:
    """A cookie that the target set for one client is not sent with a request of another."""
    lasting_stack.client.get("/mock/cookies")
    with httpx.Client(base_url=lasting_stack.url, trust_env=False) as another:
        assert "cookie" not in dict(sent_fields(another.get("/queued")))


def test_gzip_is_left_alone(lasting_stack: Stack) -> None:
    """A compressed response comes back byte for byte as the target compressed it."""
    with (
        lasting_stack.client.stream("GET", "/mock/gzip") as through,
        lasting_stack.mock.stream("GET", "/mock/gzip") as straight,
    ):
        assert through.headers["content-encoding"] == "gzip"
        assert b"".join(through.iter_raw()) == b"".join(straight.iter_raw())


def test_redirects_are_passed_on(lasting_stack: Stack) -> None:
    """A 302 is returned with its Location unchanged, and not followed."""
    response = lasting_stack.client.get("/mock/redirect")
    assert (response.status_code, response.headers["location"]) == (302, "/elsewhere")


@pytest.mark.parametrize("status", [201, 204, 299, 304, 400, 404, 418, 500, 503, 599])
@pytest.mark.parametrize("path", PATHS)
def test_every_status_comes_back(lasting_stack: Stack, path: str, status: int) -> None:
    """The client gets the status of the target."""
    assert lasting_stack.client.get(path, params={"mock_status": str(status)}).status_code == status


@pytest.mark.parametrize(
    "raw_target",
    [
        "/queued/a%2Fb",
        "/queued//double",
        "//queued",
        "/queued/../up",
        "/queued/./here",
        "/queued/%2e%2e/dots",
        "/queued/%c3%28",
        "/queued;v=1",
        "/queued/a+b",
        "/queued?a=1&a=2&b=%20x+y",
        "/queued?q=%zz",
        "/queued?url=http://x/?y=1",
        "/queued/%7Euser?",
        "/direct?a=%2F&b=//..",
    ],
)
def test_path_and_query_arrive_byte_for_byte(lasting_stack: Stack, raw_target: str) -> None:
    """Nothing in the request line is decoded, merged or resolved (a bare `?` at the very end is dropped)."""
    answer = exchange_bytes(
        lasting_stack.gateway_port, f"GET {raw_target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    echoed = httpx.Response(200, content=answer.partition(b"\r\n\r\n")[2]).json()
    path, _, query = raw_target.partition("?")
    assert (echoed["path"], echoed["query"]) == (path, query)


@pytest.mark.parametrize("path", PATHS)
def test_the_target_sees_its_own_host(lasting_stack: Stack, path: str) -> None:
    """Host names the target, once."""
    hosts = [value for name, value in sent_fields(lasting_stack.client.get(path)) if name == "host"]
    assert hosts == [f"127.0.0.1:{lasting_stack.mock_port}"]


@pytest.mark.parametrize("path", PATHS)
def test_only_the_fields_of_an_intermediary_are_added_to_the_request(lasting_stack: Stack, path: str) -> None:
    """A request without fields arrives with Host and the fields about client and gateway, and with no other."""
    answer = exchange_bytes(
        lasting_stack.gateway_port, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    echoed = httpx.Response(200, content=body).json()
    (request_id,) = re.findall(rb"x-request-id: (\w+)", head)
    assert [(name, without_identity(value)) for name, value in echoed["fields"]] == [
        ("host", f"127.0.0.1:{lasting_stack.mock_port}"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "x"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "for=127.0.0.1;host=x;proto=http"),
        ("via", "1.1 fast-priority"),
        ("x-request-id", request_id.decode()),
    ]


@pytest.mark.parametrize("path", PATHS)
def test_repeated_request_fields_arrive_in_order(lasting_stack: Stack, path: str) -> None:
    """Field lines of one name stay as many as they were, in their order."""
    response = lasting_stack.client.get(path, headers=[("x-many", "1"), ("x-other", "-"), ("x-many", "2")])
    assert [value for name, value in sent_fields(response) if name == "x-many"] == ["1", "2"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", ["Zoë".encode(), b"Zo\xeb", b"\xff\x80"])
def test_fields_beyond_ascii_arrive_byte_for_byte(lasting_stack: Stack, path: str, value: bytes) -> None:
    """A field value beyond ASCII arrives with the bytes it was sent with, UTF-8 or not."""
    response = lasting_stack.client.get(path, headers=[(b"x-name", value)])
    echoed = dict(sent_fields(response))["x-name"]
    assert echoed.encode("latin-1") == value


@pytest.mark.parametrize("path", PATHS)
def test_hop_by_hop_request_fields_stay_here(lasting_stack: Stack, path: str) -> None:
    """Fields of the client's connection, and those it names in Connection, do not reach the target."""
    fields = {"connection": "keep-alive, x-private", "x-private": "1", "te": "trailers", "keep-alive": "timeout=9"}
    names = {name for name, _ in sent_fields(lasting_stack.client.get(path, headers=fields))}
    assert names.isdisjoint({"connection", "x-private", "te", "keep-alive"})


def test_hop_by_hop_response_fields_stay_there(lasting_stack: Stack) -> None:
    """Fields of the target's connection, and those it names in Connection, do not reach the client."""
    straight = lasting_stack.mock.get("/mock/hop-by-hop")
    through = lasting_stack.client.get("/mock/hop-by-hop")
    assert {"keep-alive", "x-private"} <= set(straight.headers)
    assert set(through.headers).isdisjoint({"keep-alive", "x-private"})


@pytest.mark.parametrize("path", PATHS)
def test_date_and_server_are_the_targets(lasting_stack: Stack, path: str) -> None:
    """The response carries one Date and one Server."""
    response = lasting_stack.client.get(path)
    assert [len(response.headers.get_list(name)) for name in ("date", "server")] == [1, 1]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_targets_documentation_is_passed_through(lasting_stack: Stack, path: str) -> None:
    """The target's documentation pages, and the document they load, are the target's own."""
    assert lasting_stack.client.get(path).content == lasting_stack.mock.get(path).content


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (
            "POST /queued HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "both",
        ),
        ("GET /queued HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "two hosts"),
        ("GET /queued HTTP/1.1\r\n\r\n", "no host"),
    ],
)
def test_ambiguous_requests_are_refused(lasting_stack: Stack, head: str, why: str) -> None:
    """A request that two parsers could read in two ways gets 400, its connection is closed, nothing is forwarded."""
    lasting_stack.forget_arrivals()
    answer = exchange_bytes(lasting_stack.gateway_port, head.encode())
    assert answer.startswith(b"HTTP/1.1 400"), why
    assert lasting_stack.arrivals() == []


@pytest.mark.parametrize("path", ["/queued", "/direct"])
def test_a_response_without_a_date_gets_one(stack: Stack, path: str) -> None:
    """Where the target sends no Date, the gateway adds the present time; a Date of the target is kept."""
    dates = iter([b"", b"Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n"])

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + next(dates) + b"Content-Length: 0\r\n\r\n")

    with scripted_target(answer) as (port, _):
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway(FAST_PRIORITY_PASS_THROUGH="direct")
        stack.start_workers()
        before = int(time.time())
        added, kept = (stack.client.get(path).headers.get_list("date") for _ in range(2))
    assert before <= parsedate_to_datetime(*added).timestamp() <= time.time()
    assert kept == ["Tue, 15 Nov 1994 08:12:31 GMT"]
