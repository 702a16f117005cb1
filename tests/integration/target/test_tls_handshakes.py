"""TLS to the target with files of the settings: who is trusted, who is presented, and why a handshake failed."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fast_priority.errors import TargetError, TargetUnreachable
from fast_priority.http.message import TargetPolicy
from fast_priority.settings import TlsFiles
from fast_priority.target import Accepted, Target, ask_for_websocket
from fast_priority.target import target as target_module
from tests.integration.target.target_rig import PATIENCE_SECONDS, Run, ask
from tests.integration.target.tls_rig import Authority, tls_target

SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def target_with(port: int, files: TlsFiles) -> Target:
    return Target(TargetPolicy(f"https://127.0.0.1:{port}", PATIENCE_SECONDS, PATIENCE_SECONDS, 0), files)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_an_authority_of_the_settings_is_trusted(run_on_loop: Run, authority: Authority) -> None:
    """With the file of its authority, a target is trusted: for requests, health and WebSockets."""

    async def use() -> None:
        async with target_with(port, authority.trusting()) as target:
            assert await target.problem() is None
            assert await ask(target) == (200, b"ok")

    with tls_target(authority.server_context("127.0.0.1")) as (port, _):
        run_on_loop(use())


def test_the_file_replaces_the_systems_authorities(authority: Authority) -> None:
    """With a file of authorities, those of the system are not trusted."""

    async def authorities() -> int:
        async with target_with(9, authority.trusting()) as target:
            context = target.pool._connector._ssl
            assert isinstance(context, ssl.SSLContext)
            return len(context.get_ca_certs())

    assert asyncio.run(authorities()) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_client_certificate_is_presented(run_on_loop: Run, authority: Authority, version: ssl.TLSVersion) -> None:
    """A target that demands a client certificate gets the one of the settings."""

    async def use() -> None:
        async with target_with(port, authority.presenting()) as target:
            assert await target.problem() is None
            assert await ask(target) == (200, b"ok")

    context = authority.demand(authority.server_context("127.0.0.1"))
    context.minimum_version = context.maximum_version = version
    with tls_target(context) as (port, _):
        run_on_loop(use())


def test_a_websocket_presents_the_certificate(run_on_loop: Run, authority: Authority) -> None:
    """A WebSocket handshake uses the same files."""

    async def use() -> None:
        async with target_with(port, authority.presenting()) as target:
            answer = await ask_for_websocket(target, b"/", [])
            assert isinstance(answer, Accepted)
            answer.stream.reset()

    with tls_target(authority.demand(authority.server_context("127.0.0.1")), SWITCHING) as (port, _):
        run_on_loop(use())


Case = Callable[[Authority, Authority], tuple[ssl.SSLContext | None, TlsFiles]]


def demanding(version: ssl.TLSVersion) -> Case:
    def case(own: Authority, _: Authority) -> tuple[ssl.SSLContext, TlsFiles]:
        context = own.demand(own.server_context("127.0.0.1"))
        context.minimum_version = context.maximum_version = version
        return context, own.trusting()

    return case


def of_another_client_authority(own: Authority, other: Authority) -> tuple[ssl.SSLContext, TlsFiles]:
    return own.demand(own.server_context("127.0.0.1")), TlsFiles(own.ca, *other.client_files())


def only_an_old_version(own: Authority, _: Authority) -> tuple[ssl.SSLContext, TlsFiles]:
    context = own.server_context("127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context, own.trusting()


CASES: dict[str, tuple[Case, str]] = {
    "expired": (
        lambda own, _: (own.server_context("127.0.0.1", expired=True), own.trusting()),
        "its certificate has expired",
    ),
    "unknown authority": (
        lambda own, other: (other.server_context("127.0.0.1"), own.trusting()),
        "its certificate is of an authority that is not trusted (FAST_PRIORITY_TARGET_TLS_CA)",
    ),
    "not the system's": (
        lambda own, _: (own.server_context("127.0.0.1"), TlsFiles()),
        "its certificate is of an authority that is not trusted (FAST_PRIORITY_TARGET_TLS_CA)",
    ),
    "another address": (
        lambda own, _: (own.server_context("127.0.0.2"), own.trusting()),
        "its certificate is for another host name",
    ),
    "another name": (
        lambda own, _: (own.server_context("api.example"), own.trusting()),
        "its certificate is for another host name",
    ),
    "an old version": (only_an_old_version, "it speaks no version of TLS that the gateway accepts (1.2 or newer)"),
    "plain HTTP": (
        lambda own, _: (None, own.trusting()),
        "it does not speak TLS at this port: it may speak plain HTTP",
    ),
    "no client certificate, TLS 1.3": (
        demanding(ssl.TLSVersion.TLSv1_3),
        "it demands a client certificate (FAST_PRIORITY_TARGET_TLS_CERT)",
    ),
    "no client certificate, TLS 1.2": (
        demanding(ssl.TLSVersion.TLSv1_2),
        "it refused the TLS handshake: it may demand a client certificate (FAST_PRIORITY_TARGET_TLS_CERT), or other "
        "ciphers",
    ),
    "another client certificate": (
        of_another_client_authority,
        "it does not accept the client certificate (FAST_PRIORITY_TARGET_TLS_CERT)",
    ),
}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(("case", "words"), CASES.values(), ids=CASES)
def test_the_reason_of_a_failed_handshake(
    run_on_loop: Run, authority: Authority, tmp_path: Path, case: Case, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request and a look at the target both get the reason in words, and no byte of the request is read."""

    async def detail(asking: Callable[[Target], object]) -> str:
        async with target_with(port, files) as target:
            with pytest.raises(TargetUnreachable) as raised:
                await asking(target)  # type: ignore[misc]
            return raised.value.detail

    async def problem() -> str | None:
        async with target_with(port, files) as target:
            return await target.problem()

    monkeypatch.setattr(target_module, "_REFUSAL_SECONDS", PATIENCE_SECONDS)
    context, files = case(authority, Authority(tmp_path, "other"))
    with tls_target(context, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as (port, read):
        assert run_on_loop(detail(ask)) == words
        assert run_on_loop(detail(lambda target: ask(target, "POST", b"body"))) == words
        assert run_on_loop(detail(lambda target: ask_for_websocket(target, b"/", []))) == words
        assert run_on_loop(problem()) == words
        if context is not None:
            assert read == []


@contextmanager
def target_that_hangs_up() -> Iterator[int]:
    """Run a target that reads the beginning of each connection and closes it; yield its port."""

    def one(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)

    def serve() -> None:
        while True:
            try:
                one(listener.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_SECONDS)


def test_a_target_that_ends_the_handshake(run_on_loop: Run, authority: Authority) -> None:
    """A target that closes each connection during the handshake is an error of the target, in words."""

    async def use() -> None:
        async with target_with(port, authority.trusting()) as target:
            assert await target.problem() == "it closed the connection during the TLS handshake"
            with pytest.raises(TargetError) as raised:
                await ask(target)
            assert raised.value.status == 502

    with target_that_hangs_up() as port:
        run_on_loop(use())
