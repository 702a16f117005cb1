"""WebSockets through the whole stack, and their end when the gateway ends."""

import json
import signal
from http.client import HTTPConnection

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from fast_priority.local.child_processes import ChildProcess, wait_until, wait_until_answers
from fast_priority.local.free_ports import free_port
from tests.harness import Stack

PATIENCE_SECONDS = 30


def opened(port: int, path: str, **fields: str) -> ClientConnection:
    connection: ClientConnection = connect(
        f"ws://127.0.0.1:{port}{path}",
        proxy=None,
        open_timeout=PATIENCE_SECONDS,
        subprotocols=[Subprotocol("chat")],
        additional_headers=fields,
    )
    return connection


@pytest.mark.parametrize("message", ["Zoë", b"\x00\xff", "x" * 1_000_000])
def test_an_echo_echoes(lasting_stack: Stack, message: str | bytes) -> None:
    """The echo of the mock target's WebSocket works through the gateway."""
    with opened(lasting_stack.gateway_port, "/mock/websocket") as client:
        assert client.subprotocol == "chat"
        client.send(message)
        assert client.recv(PATIENCE_SECONDS) == message


@pytest.mark.parametrize("length", ["0", "00"])
def test_a_handshake_may_state_that_it_has_no_body(lasting_stack: Stack, length: str) -> None:
    """A handshake with a Content-Length of 0 is agreed to."""
    with opened(lasting_stack.gateway_port, "/mock/websocket", **{"Content-Length": length}) as client:
        client.send("hello")
        assert client.recv(PATIENCE_SECONDS) == "hello"


def test_open_websockets_keep_no_worker_busy(stack: Stack) -> None:
    """One slot is enough for several WebSockets that are open, and for requests beside them."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_workers(concurrency=1)
    with opened(stack.gateway_port, "/mock/websocket") as first, opened(stack.gateway_port, "/mock/websocket"):
        assert stack.client.get("/queued").status_code == 200
        first.send("still there")
        assert first.recv(PATIENCE_SECONDS) == "still there"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/mock/websocket?close_code=1006", b"close code"),
        ("/gateway_health", b"the gateway's own"),
        ("/gateway_docs/", b"the gateway's own"),
    ],
)
def test_a_declined_websocket_says_why(lasting_stack: Stack, path: str, says: bytes) -> None:
    """The client gets the refusal of the target, and the gateway refuses WebSockets on its own paths."""
    with pytest.raises(InvalidStatus) as declined:
        opened(lasting_stack.gateway_port, path)
    assert declined.value.response.status_code == 400
    assert says in declined.value.response.body


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_only_a_get_without_a_body_becomes_a_websocket(lasting_stack: Stack, method: str) -> None:
    """Any other request with the fields of a handshake is answered like one without them."""
    client = HTTPConnection("127.0.0.1", lasting_stack.gateway_port, timeout=PATIENCE_SECONDS)
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    client.request(method, "/queued", body=b"abc", headers=fields)
    response = client.getresponse()
    echoed = json.load(response)
    client.close()
    assert (response.status, echoed["body"]) == (200, "abc")
    assert "upgrade" not in dict(echoed["fields"])


def test_a_gateway_with_open_websockets_ends(stack: Stack) -> None:
    """On SIGTERM a WebSocket may last for a few seconds more; then it is closed, and the gateway ends."""
    stack.start_mock()
    stack.start_gateway()
    stack.start_workers(concurrency=1)
    gateway = stack.processes["gateway"]
    with opened(stack.gateway_port, "/mock/websocket") as client:
        gateway.send_signal(signal.SIGTERM)
        client.send("last")
        assert client.recv(PATIENCE_SECONDS) == "last"
        with pytest.raises(ConnectionClosed):
            client.recv(PATIENCE_SECONDS)
        gateway.wait(PATIENCE_SECONDS)
    wait_until("the target's end is closed, too", lambda: stack.in_flight() == 0)


def test_another_server_says_that_it_carries_none(stack: Stack) -> None:
    """Under `fastapi run` a WebSocket is declined with 501, and the log has no traceback."""
    stack.start_mock()
    port = free_port()
    arguments = ("-m", "uvicorn", "fast_priority.app:app", "--host", "127.0.0.1", "--port", str(port))
    environment = {
        "FAST_PRIORITY_TARGET_BASE_URL": stack.mock_url,
        "FAST_PRIORITY_REDIS_HOST": "127.0.0.1",
        "FAST_PRIORITY_REDIS_PORT": str(stack.redis_port),
    }
    process = stack.start(ChildProcess("uvicorn", arguments, environment))
    wait_until_answers(process, "uvicorn", f"http://127.0.0.1:{port}/gateway_health/live")
    with pytest.raises(InvalidStatus) as declined:
        opened(port, "/mock/websocket")
    assert declined.value.response.status_code == 501
    assert b"run-fast-priority" in declined.value.response.body
    assert all(b"Traceback" not in log.read_bytes() for log in stack.logs.glob("uvicorn-*"))
