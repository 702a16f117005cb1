"""A Redis under Sentinels: when its master is killed, its replica takes over."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from tests.harness import free_port, wait_until
from tests.redis_servers import Server, redis_server, sentinel

SECRET, SENTINEL_SECRET = "of-redis", "of-the-sentinels"


@dataclass
class Watched:
    """A master and its replica, under three Sentinels."""

    master: Server
    master_port: int
    replica_port: int
    sentinels: dict[int, Server]
    directory: Path

    def settings(self) -> dict[str, str]:
        """Return the settings for gateway and workers; the first Sentinel that they name does not exist."""
        ports = [free_port(), *self.sentinels]
        values = {
            "SENTINELS": ",".join(f"127.0.0.1:{port}" for port in ports),
            "SENTINEL_MASTER": "mymaster",
            "SENTINEL_PASSWORD": SENTINEL_SECRET,
            "PASSWORD": SECRET,
            "HOST": "",
            "PORT": "",
        }
        return {f"FAST_PRIORITY_REDIS_{name}": value for name, value in values.items()}


@contextmanager
def watched_redis(tmp_path: Path) -> Iterator[Watched]:
    """Run a master, its replica and three Sentinels that know each other, while the block lasts."""
    with ExitStack() as parts:
        ports = free_port(), free_port()
        own = "--requirepass", SECRET, "--masterauth", SECRET
        looks = [parts.enter_context(Redis(port=port, password=SECRET)) for port in ports]
        servers = [
            parts.enter_context(redis_server(tmp_path / f"redis-{port}", "--port", str(port), *own, look=look))
            for port, look in zip(ports, looks, strict=True)
        ]
        looks[1].replicaof("127.0.0.1", ports[0])
        wait_until("the replica follows", lambda: looks[1].info("replication")["master_link_status"] == "up")
        sentinels = dict(
            parts.enter_context(sentinel(tmp_path / f"sentinel-{n}", ports[0], 2, SECRET, SENTINEL_SECRET))
            for n in range(3)
        )
        asked = [parts.enter_context(Redis(port=port, password=SENTINEL_SECRET)) for port in sentinels]
        wait_until("the Sentinels know each other and the replica", lambda: all(map(_knows_all, asked)))
        yield Watched(servers[0], *ports, sentinels, tmp_path)


def _knows_all(asked: Redis) -> bool:
    masters: dict[str, Any] = asked.sentinel_masters()  # type: ignore[assignment]
    state = masters["mymaster"]
    return bool(state["num-other-sentinels"] == 2 and state["num-slaves"] == 1)
