"""nginx in front of the gateway, configured with examples/nginx/tls.conf."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.harness import CLIENT_OPTIONS, Stack, free_port, wait_until
from tests.redis_servers import Certificates

EXAMPLE = Path(__file__).parents[2] / "examples" / "nginx" / "tls.conf"
PATIENCE_SECONDS = 20
AROUND = """
daemon off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {example}
}}
"""

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt install nginx-light")


@dataclass
class Proxy:
    """A running proxy: an HTTP client for it, and what a client of a WebSocket needs."""

    client: httpx.Client
    port: int
    trust: ssl.SSLContext


def write_configuration(folder: Path, port: int, gateway_port: int, certificates: Certificates) -> Path:
    """Write the configuration of nginx: the example, with the ports and files of this test."""
    example = EXAMPLE.read_text()
    for named, here in (
        ("127.0.0.1:8000", f"127.0.0.1:{gateway_port}"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/nginx/tls/api.example.crt", str(certificates.cert)),
        ("/etc/nginx/tls/api.example.key", str(certificates.key)),
    ):
        assert named in example
        example = example.replace(named, here)
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(example=example))
    return file


@pytest.fixture
def proxy(stack: Stack, tmp_path: Path) -> Iterator[Proxy]:
    """The example's nginx in front of a gateway that trusts it."""
    stack.start_mock()
    stack.start_gateway(FAST_PRIORITY_TRUSTED_PROXIES="127.0.0.1")
    stack.start_workers()
    certificates, port = Certificates(tmp_path), free_port()
    file = write_configuration(tmp_path, port, stack.gateway_port, certificates)
    process = subprocess.Popen(["nginx", "-e", "stderr", "-p", str(tmp_path), "-c", str(file)])
    trust = ssl.create_default_context(cafile=str(certificates.ca))
    try:
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", **{**CLIENT_OPTIONS, "verify": trust}) as client:
            wait_until("nginx answers, or ends", lambda: process.poll() is not None or answers(client))
            assert process.poll() is None
            yield Proxy(client, port, trust)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/gateway_health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_the_target_learns_what_the_client_used(proxy: Proxy) -> None:
    """The target gets the client's scheme, host and address from nginx, and nothing that the client wrote itself."""
    forged = {
        "Host": "api.example",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Port": "1",
        "X-Forwarded-User": "root",
        "X-Real-IP": "192.0.2.1",
        "X-Original-URL": "/admin",
        "Forwarded": "for=192.0.2.1",
    }
    received = proxy.client.get("/queued", headers=forged).json()
    fields = {name.lower(): value for name, value in received["fields"]}
    assert fields["x-forwarded-proto"] == "https"
    assert fields["x-forwarded-host"] == "api.example"
    assert fields["x-forwarded-for"].startswith("127.0.0.1")
    assert {"x-forwarded-port", "x-forwarded-user", "x-real-ip", "x-original-url"} & set(fields) == set()
    assert [text for text in fields.values() if "192.0.2.1" in text or "evil" in text] == []


def test_an_event_comes_when_it_is_sent(proxy: Proxy, stack: Stack) -> None:
    """Below /events/ nginx holds nothing back: a piece arrives while the target still sends the others."""
    with proxy.client.stream("GET", "/events/1?mock_dribble=3,9&mock_size=3000") as response:
        assert response.status_code == 200
        pieces = response.iter_raw()  # httpx disconnects when its iterator is deleted
        assert next(pieces)
        assert stack.in_flight() == 1


def test_a_websocket_goes_through(proxy: Proxy) -> None:
    """A WebSocket with TLS reaches the target, through nginx and the queue."""
    with connect(f"wss://127.0.0.1:{proxy.port}/mock/websocket", ssl=proxy.trust, proxy=None) as websocket:
        websocket.send("hello")
        assert websocket.recv(PATIENCE_SECONDS) == "hello"
