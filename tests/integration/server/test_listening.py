"""The sockets that the gateway listens on: one for each address and family, and what happens if one is missing."""

import asyncio
import errno
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
import uvloop

from fast_priority.errors import ConfigurationError
from fast_priority.server import check_port_is_free, server_for
from fast_priority.server.listening import open_sockets
from fast_priority.settings import Settings
from tests.harness import exchange_bytes, free_port, wait_until


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


class App:
    """The least that the server serves."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                event = await receive()
                await send({"type": f"{event['type']}.complete"})
                if event["type"] == "lifespan.shutdown":
                    return
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def retry_after_seconds(self) -> int:
        return 1

    def begin_to_end(self) -> None:
        pass


@contextmanager
def served(host: str) -> Iterator[int]:
    """Yield the port of a server that listens on these addresses."""
    settings = Settings.load(host=host, port=free_port(), drain_timeout=1)
    server = server_for(App(), settings)

    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(server._serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until("it listens", lambda: server.started)
        yield settings.port
    finally:
        server.should_exit = True
        thread.join()


def answers(address: str, port: int) -> bool:
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    try:
        return exchange_bytes(port, request, host=address).startswith(b"HTTP/1.1 204")
    except ConnectionRefusedError:
        return False


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "families"),
    [
        ("::", {"127.0.0.1", "::1"}),
        ("0.0.0.0,::", {"127.0.0.1", "::1"}),
        ("0.0.0.0", {"127.0.0.1"}),
        ("127.0.0.1,::1", {"127.0.0.1", "::1"}),
        ("[::1]", {"::1"}),
        ("0.0.0.0,127.0.0.1,[::1]", {"127.0.0.1", "::1"}),
    ],
)
def test_each_address_is_listened_on(host: str, families: set[str]) -> None:
    """Each address of the list is served, and no other; `::` is both families."""
    with served(host) as port:
        assert {address for address in ("127.0.0.1", "::1") if answers(address, port)} == families


def test_a_name_is_listened_on() -> None:
    """`localhost` is served at the addresses that it has."""
    with served("localhost") as port:
        assert answers("localhost", port)


class NoIpv6(socket.socket):
    """A socket of a machine without IPv6; the number is what the system says."""

    number = errno.EAFNOSUPPORT

    def __init__(self, family: int = -1, *args: Any, **named: Any) -> None:
        if family == socket.AF_INET6 and self.number == errno.EAFNOSUPPORT:
            raise OSError(self.number, "Address family not supported by protocol")
        super().__init__(family, *args, **named)

    def bind(self, address: Any) -> None:
        if self.family == socket.AF_INET6:
            raise OSError(self.number, "Cannot assign requested address")
        super().bind(address)


class Ipv6IsOff(NoIpv6):
    """A socket of a machine on which IPv6 is switched off."""

    number = errno.EADDRNOTAVAIL


@pytest.mark.parametrize("without_ipv6", [NoIpv6, Ipv6IsOff])
@pytest.mark.parametrize("host", ["::", "0.0.0.0,::", "127.0.0.1,::1"])
def test_a_family_that_is_missing(
    without_ipv6: type[NoIpv6], host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A family that the machine does not have is a warning, and the other one is listened on."""
    monkeypatch.setattr(socket, "socket", without_ipv6)
    settings = Settings.load(host=host, port=free_port())
    with caplog.at_level(logging.WARNING), ExitStack() as sockets:
        opened = [sockets.enter_context(one) for one in open_sockets(settings)]
        assert [one.family for one in opened] == [socket.AF_INET]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["this machine has no IPv6"]


@pytest.mark.parametrize("without_ipv6", [NoIpv6, Ipv6IsOff])
def test_no_family_is_left(without_ipv6: type[NoIpv6], monkeypatch: pytest.MonkeyPatch) -> None:
    """If no address of the list can be listened on, that is an error."""
    monkeypatch.setattr(socket, "socket", without_ipv6)
    with pytest.raises(ConfigurationError, match=r"FAST_PRIORITY_HOST='::1' and FAST_PRIORITY_PORT=\d+ cannot be used"):
        open_sockets(Settings.load(host="::1", port=free_port()))


@needs_ipv6
@pytest.mark.parametrize(("taken", "host"), [("::1", "::"), ("::1", "127.0.0.1,::1"), ("127.0.0.1", "::")])
def test_a_port_that_is_taken_on_one_address(taken: str, host: str) -> None:
    """A port that is taken on one of the addresses is an error that names settings and address."""
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    port = free_port()
    with socket.create_server((taken, port), family=family), pytest.raises(ConfigurationError) as caught:
        check_port_is_free(Settings.load(host=host, port=port))
    assert str(caught.value).startswith(f"FAST_PRIORITY_HOST={host!r} and FAST_PRIORITY_PORT={port} cannot be used (")
    assert "Address already in use" in str(caught.value)


@pytest.mark.parametrize("host", ["192.0.2.1", "127.0.0.1,192.0.2.1", "no-such-name.invalid"])
def test_an_address_of_another_machine(host: str) -> None:
    """An address that this machine does not have, and a name that does not resolve, are errors."""
    with pytest.raises(ConfigurationError, match=r"FAST_PRIORITY_HOST=.* cannot be used"):
        check_port_is_free(Settings.load(host=host, port=free_port()))


@needs_ipv6
def test_the_urls_of_the_addresses() -> None:
    """The check of a port returns where clients find the gateway."""
    port = free_port()
    urls = check_port_is_free(Settings.load(host="127.0.0.1,::1", port=port))
    assert urls == [f"http://127.0.0.1:{port}", f"http://[::1]:{port}"]
