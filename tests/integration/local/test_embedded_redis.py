"""The Redis server that standalone, the demo and the check start."""

import shutil
import stat
import tempfile
from pathlib import Path

import pytest
from redis import Redis

from fast_priority.errors import ConfigurationError
from fast_priority.local.redis_server import embedded_redis


def test_other_users_cannot_reach_it() -> None:
    """The server listens on no port, and other users can open neither its socket nor its folder."""
    with embedded_redis() as path, Redis(unix_socket_path=path) as redis:
        assert redis.config_get("port") == {"port": "0"}
        for entry in (Path(path), Path(path).parent):
            assert not entry.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def test_nothing_of_it_is_left() -> None:
    """At the end of the block, the server has ended and its folder is gone."""
    with embedded_redis() as path, Redis(unix_socket_path=path) as redis:
        redis.set("something", "kept")
        pid = redis.info("server")["process_id"]
    assert not Path(path).parent.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_path_too_long_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket path that is too long is an error that names the variable to set. Redis 6.2 would cut the path off."""
    long = tmp_path / ("a-long-name-" * 10)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(ConfigurationError, match="set TMPDIR"), embedded_redis():
        pass
    assert not list(long.iterdir())


def test_a_server_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the server does not start, the error has its output."""
    server = tmp_path / "redis-server"
    server.write_text(
        '#!/bin/sh\nwhile [ "$1" != "--logfile" ]; do shift; done\necho "no memory at all" > "$2"\nexit 1\n'
    )
    server.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(server))
    with pytest.raises(ConfigurationError, match="did not start: no memory at all"), embedded_redis():
        pass
