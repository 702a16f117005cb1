"""One port for several processes: who listens there, who may, and who may not."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.server import are_listening, check_port_is_free, inherited_sockets, shared_sockets
from fast_priority.settings import Settings
from tests.harness import free_port

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems share no ports so")


def settings_for(host: str) -> Settings:
    return Settings.load(host=host, port=free_port())


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "127.0.0.1,127.0.0.2"])
def test_clients_are_divided(host: str) -> None:
    """Each process gets some of the clients, on each address."""
    settings = settings_for(host)
    with shared_sockets(settings, 2) as sockets, ExitStack() as clients:
        for one in (one for own in sockets for one in own):
            one.listen()
            one.setblocking(False)
        for _ in range(64):
            clients.enter_context(socket.create_connection(("127.0.0.1", settings.port)))
        accepted = [0, 0]
        for number, own in enumerate(sockets):
            with suppress(BlockingIOError):  # all are accepted
                while True:
                    own[0].accept()[0].close()
                    accepted[number] += 1
    assert sum(accepted) == 64
    assert all(accepted)


def test_a_process_that_does_not_listen_gets_no_client() -> None:
    """As long as only one of two processes listens, it gets all clients."""
    settings = settings_for("127.0.0.1")
    with shared_sockets(settings, 2) as ((first,), (second,)):
        first.listen()
        assert (are_listening([first]), are_listening([first, second])) == (True, False)
        for _ in range(16):
            with socket.create_connection(("127.0.0.1", settings.port)):
                first.accept()[0].close()


def test_another_start_finds_the_port_taken() -> None:
    """While a port is shared and listened on, the check of another start refuses it."""
    settings = settings_for("127.0.0.1")
    with shared_sockets(settings, 2) as ((first,), (second,)):
        first.listen()
        second.listen()
        with pytest.raises(ConfigurationError, match="Address already in use"):
            check_port_is_free(settings)


def test_a_port_that_is_taken_is_not_shared() -> None:
    """A port on which a program listens by itself is an error that names the settings."""
    settings = settings_for("127.0.0.1")
    with (
        socket.create_server(("127.0.0.1", settings.port)),
        pytest.raises(ConfigurationError, match=r"FAST_PRIORITY_PORT=\d+ cannot be used \(Address already in use\)"),
        shared_sockets(settings, 2),
    ):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act for another user")
@pytest.mark.parametrize(
    ("option", "is_listening"), [("SO_REUSEPORT", False), ("SO_REUSEPORT", True), ("SO_REUSEADDR", True)]
)
def test_another_user_cannot_share_the_port(option: str, *, is_listening: bool) -> None:
    """A process of another user cannot share the port, before the processes listen there, or after."""
    settings = settings_for("127.0.0.1")
    code = (
        "import os, socket, sys\n"
        "os.setuid(12345)\n"
        "one = socket.socket()\n"
        f"one.setsockopt(socket.SOL_SOCKET, socket.{option}, 1)\n"
        f"one.bind(('127.0.0.1', {settings.port}))\n"
        "one.listen()\n"
    )
    with shared_sockets(settings, 2) as sockets:
        for own in sockets if is_listening else []:
            own[0].listen()
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "Address already in use" in ended.stderr


@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_a_system_that_divides_no_clients(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    """On another system than Linux, several processes are an error that names the option."""
    monkeypatch.setattr(sys, "platform", platform)
    with (
        pytest.raises(ConfigurationError, match="--processes 2 cannot be used: only Linux"),
        shared_sockets(settings_for("127.0.0.1"), 2),
    ):
        pass


def test_sockets_of_another_process() -> None:
    """A process takes over the sockets that it was started with, and passes them to no other."""
    with shared_sockets(settings_for("127.0.0.1,127.0.0.2"), 1) as (own,):
        numbers = [os.dup(one.fileno()) for one in own]
        for number in numbers:
            os.set_inheritable(number, True)
        with ExitStack() as taken:
            found = [taken.enter_context(one) for one in inherited_sockets(",".join(map(str, numbers)))]
            assert [one.getsockname() for one in found] == [one.getsockname() for one in own]
            assert not any(one.get_inheritable() for one in found)
