"""nginx and HAProxy in front of the gateway, as in examples/, and what a client sees with other settings."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.model_clients import CHAT, stream_with_httpx
from tests.acceptance.model_stack import ENDLESS, ModelStack, running_models
from tests.acceptance.test_tls_proxy import AROUND
from tests.harness import CLIENT_OPTIONS, free_port, running_stack, scripted_target, wait_until

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_SECONDS = 20
Proxy = Callable[..., AbstractContextManager[str]]
SHORT = {"tokens": 3, "token_rate": 4}
"""A stream that lasts for most of a second."""
HTTP10 = {"proxy_http_version 1.1": "proxy_http_version 1.0"}
OLD_DEFAULTS = {**HTTP10, "proxy_buffering off": "proxy_buffering on"}
"""What nginx up to 1.28 does where nothing is set."""

pytestmark = [
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt install nginx-light"),
    pytest.mark.skipif(shutil.which("haproxy") is None, reason="HAProxy is not installed: apt install haproxy"),
]


@pytest.fixture(scope="module")
def started_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelStack]:
    with running_models("gateway", tmp_path_factory.mktemp("models")) as models:
        yield models


@contextmanager
def nginx(model: ModelStack, folder: Path, changes: dict[str, str] | None = None) -> Iterator[str]:
    """Run nginx with the example, in which some directives are others; yield its URL."""
    port, example = free_port(), (EXAMPLES / "nginx" / "streams.conf").read_text()
    replaced = {
        "server 127.0.0.1:8000": f"server 127.0.0.1:{model.stack.gateway_port}",
        "listen 8080": f"listen 127.0.0.1:{port}",
        **(changes or {}),
    }
    for named, here in replaced.items():
        assert named in example
        example = example.replace(named, here)
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(example=example))
    with running(["nginx", "-e", "stderr", "-p", str(folder), "-c", str(file)], {}, port) as url:
        yield url


@contextmanager
def haproxy(model: ModelStack, folder: Path, changes: dict[str, str] | None = None) -> Iterator[str]:
    """Run HAProxy with the example, in which some directives are others; yield its URL."""
    port, example = free_port(), (EXAMPLES / "haproxy" / "in-front.cfg").read_text()
    for named, here in (changes or {}).items():
        assert named in example
        example = example.replace(named, here)
    file = folder / "haproxy.cfg"
    file.write_text(example)
    variables = {"LISTEN": f"127.0.0.1:{port}", "GATEWAY": f"127.0.0.1:{model.stack.gateway_port}"}
    with running(["haproxy", "-f", str(file)], variables, port) as url:
        yield url


@contextmanager
def running(command: list[str], variables: dict[str, str], port: int) -> Iterator[str]:
    process = subprocess.Popen(command, env=os.environ | variables)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until("the proxy answers, or ends", lambda: process.poll() is not None or answers(url))
        assert process.poll() is None
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/gateway_health/live", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


proxies = pytest.mark.parametrize("proxy", [nginx, haproxy], ids=["nginx", "haproxy"])
short_waits = pytest.mark.parametrize(
    ("proxy", "changes"),
    [
        pytest.param(nginx, {"proxy_read_timeout 500s": "proxy_read_timeout 1s"}, id="nginx"),
        pytest.param(haproxy, {"timeout server 500s": "timeout server 1s"}, id="haproxy"),
    ],
)


@proxies
def test_tokens_come_as_they_are_made(model: ModelStack, tmp_path: Path, proxy: Proxy) -> None:
    """Through the proxy of the example the first token is there while others are made."""
    model.set_model(**ENDLESS)
    with proxy(model, tmp_path) as url:
        texts = stream_with_httpx(url)
        assert "token1" in [next(texts), next(texts)]
        assert model.stack.in_flight() == 1
        texts.close()
        wait_until("the call has ended", lambda: model.stack.in_flight() == 0)


@pytest.fixture
def breaking(redis_port: int, tmp_path: Path) -> Iterator[tuple[ModelStack, threading.Event]]:
    """A gateway in front of a target whose stream breaks off after an event, once the test says so."""
    break_off = threading.Event()

    def send_half(connection: socket.socket, head: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf\n\r\n")
        break_off.wait(PATIENCE_SECONDS)
        connection.shutdown(socket.SHUT_RDWR)

    with scripted_target(send_half) as (port, _), running_stack(redis_port, tmp_path) as stack:
        stack.mock_url = f"http://127.0.0.1:{port}"
        stack.start_gateway(FAST_PRIORITY_SLOTS="1")
        yield ModelStack(stack, stack.url), break_off


def read_broken(url: str, break_off: threading.Event) -> bytes:
    """Read a stream that breaks off after its first bytes."""
    with httpx.Client(**CLIENT_OPTIONS) as client, client.stream("POST", url) as response:
        pieces = response.iter_raw()
        received = next(pieces)
        break_off.set()
        return received + b"".join(pieces)


@pytest.mark.parametrize(
    ("proxy", "changes"),
    [
        pytest.param(nginx, None, id="nginx"),
        pytest.param(nginx, HTTP10, id="nginx with HTTP/1.0"),
        pytest.param(nginx, OLD_DEFAULTS, id="nginx with its old defaults"),
        pytest.param(haproxy, None, id="haproxy"),
    ],
)
def test_a_stream_that_breaks_off_is_an_error(
    breaking: tuple[ModelStack, threading.Event], tmp_path: Path, proxy: Proxy, changes: dict[str, str] | None
) -> None:
    """A client behind the proxy sees that the target broke off, with HTTP/1.0 between the two as well."""
    model, break_off = breaking
    with proxy(model, tmp_path, changes) as url, pytest.raises(httpx.RemoteProtocolError):
        read_broken(url, break_off)


def test_a_buffering_nginx_holds_tokens_back(model: ModelStack, tmp_path: Path) -> None:
    """With HTTP/1.0 and buffers, the defaults, no token of a short answer comes before the last one is made.

    What comes together with the head is passed on: here the role.
    """
    model.set_model(**SHORT)
    with nginx(model, tmp_path, OLD_DEFAULTS) as url:
        texts = stream_with_httpx(url)
        assert [next(texts), next(texts)] == ["", "token1"]
        assert model.stack.in_flight() == 0
        texts.close()


def test_the_target_may_turn_nginx_s_buffers_off(model: ModelStack, tmp_path: Path) -> None:
    """With `X-Accel-Buffering: no` from the target, which the gateway passes on, tokens come as they are made."""
    model.set_model(**ENDLESS, fields="X-Accel-Buffering: no")
    with nginx(model, tmp_path, OLD_DEFAULTS) as url:
        texts = stream_with_httpx(url)
        assert "token1" in [next(texts), next(texts)]
        assert model.stack.in_flight() == 1
        texts.close()


@short_waits
def test_a_proxy_that_waits_too_short_answers_504(
    model: ModelStack, tmp_path: Path, proxy: Proxy, changes: dict[str, str]
) -> None:
    """A request that waits for longer than the proxy does gets a 504, leaves the queue, and reaches no target."""
    with proxy(model, tmp_path, changes) as url, model.hold_slot():
        answer = httpx.post(f"{url}/v1/chat/completions", json=CHAT, timeout=60, trust_env=False)
        assert answer.status_code == 504
        wait_until("it has left the queue", lambda: model.stack.queued() == 0)
        assert len(model.posts()) == 1


@short_waits
def test_a_proxy_that_waits_too_short_cuts_a_stream(
    model: ModelStack, tmp_path: Path, proxy: Proxy, changes: dict[str, str]
) -> None:
    """A pause between tokens that is longer than the proxy waits breaks the stream off, and ends the call."""
    model.set_model(tokens=3, token_rate=0.01)
    with proxy(model, tmp_path, changes) as url, httpx.Client(**CLIENT_OPTIONS) as client:
        body = {**CHAT, "stream": True}
        with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                response.read()
        wait_until("the call has ended", lambda: model.stack.in_flight() == 0)


@proxies
def test_the_target_learns_who_the_client_is(model: ModelStack, tmp_path: Path, proxy: Proxy) -> None:
    """The proxy states the client's address, and nothing that the client wrote about it gets through."""
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
    with proxy(model, tmp_path) as url:
        echo = httpx.get(f"{url}/echo", headers=forged, trust_env=False).json()
    assert [value for _, value in echo["fields"] if "192.0.2.1" in value] == []
