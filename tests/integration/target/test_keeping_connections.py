"""How long a connection to the target is kept."""

import socket
import threading
from collections.abc import Callable

import pytest

from fast_priority.http.message import TargetPolicy
from fast_priority.target import Target
from fast_priority.target import pool as pool_module
from fast_priority.target.connection import TargetConnection
from tests.harness import scripted_target
from tests.integration.target.target_rig import (
    Run,
    ask,
    target_at,
)


def answer_with_peer(field: bytes) -> Callable[[socket.socket, bytes], None]:
    """Answer with the client's port: equal responses came on the same connection."""

    def answer(connection: socket.socket, head: bytes) -> None:
        port = b"%05d" % connection.getpeername()[1]
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + field + b"Content-Length: 5\r\n\r\n" + port)

    return answer


async def are_alike(port: int, between: Callable[[Target], None] = lambda target: None) -> bool:
    async with target_at(port) as target:
        first = await ask(target)
        between(target)
        return await ask(target) == first


@pytest.mark.parametrize(
    ("field", "is_kept"),
    [
        (b"", True),
        (b"Keep-Alive: timeout=60\r\n", True),
        (b"Keep-Alive: timeout=nonsense\r\n", True),
        (b"Keep-Alive: timeout=1\r\n", False),
        (b"Connection: keep-alive\r\nKeep-Alive: timeout=0, max=5\r\n", False),
        (b"Keep-Alive: max=0\r\n", False),
    ],
)
def test_the_keep_alive_of_the_target_counts(run_on_loop: Run, field: bytes, is_kept: bool) -> None:
    """A connection is used again if the target declares to keep it for over a second, or declares nothing."""
    with scripted_target(answer_with_peer(field)) as (port, _):
        assert run_on_loop(are_alike(port)) is is_kept


@pytest.mark.parametrize(("age_seconds", "is_kept"), [(200.0, True), (301.0, False)])
def test_an_old_connection_is_closed(run_on_loop: Run, age_seconds: float, is_kept: bool) -> None:
    """A connection that is older than five minutes gets no more requests, however busy it is."""

    async def ask_twice() -> bool:
        async with target_at(port) as target:
            async with target.exchange("GET", b"/x", [], b"") as response:
                first = await response.whole_if_quick()
                for protocol in target.pool._connector._acquired:
                    assert isinstance(protocol, TargetConnection)
                    protocol.made_at_seconds -= age_seconds
            return (await ask(target))[1] == first

    with scripted_target(answer_with_peer(b"")) as (port, _):
        assert run_on_loop(ask_twice()) is is_kept


class MovedName:
    """A resolver of which the test changes the answer."""

    def __init__(self) -> None:
        self.address = "127.0.0.1"

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[dict[str, object]]:
        return [
            {"hostname": host, "host": self.address, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        ]

    async def close(self) -> None:
        pass


def test_a_name_that_moved_is_followed(run_on_loop: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its connections are old, requests go to the new address of the target's name."""
    monkeypatch.setattr(pool_module, "_MOST_AGE_SECONDS", 0.0)
    monkeypatch.setattr(pool_module, "_NAME_HOLDS_SECONDS", 0)
    with socket.create_server(("127.0.0.1", 0)) as old:
        port = old.getsockname()[1]
        with socket.create_server(("127.0.0.2", port)) as new:
            for listener, name in ((old, b"old"), (new, b"new")):
                threading.Thread(target=_answer_as, args=(listener, name), daemon=True).start()

            async def ask_both() -> list[tuple[int, bytes]]:
                async with Target(TargetPolicy(f"http://moved.example:{port}", 10.0, 20.0, 1024)) as target:
                    names = MovedName()
                    target.pool._connector._resolver = names  # type: ignore[assignment]
                    answers = [await ask(target)]
                    names.address = "127.0.0.2"
                    return [*answers, await ask(target)]

            try:
                assert run_on_loop(ask_both()) == [(200, b"old"), (200, b"new")]
            finally:
                for listener in (old, new):
                    listener.shutdown(socket.SHUT_RDWR)


def _answer_as(listener: socket.socket, name: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while connection.recv(65536):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + name)
