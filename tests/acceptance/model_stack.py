"""A stack with one slot in front of a model server, which is the mock target."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from fast_priority.local.child_processes import gateway_process
from tests.acceptance.model_clients import stream_with_httpx
from tests.harness import Stack, free_port, running_stack, wait_until
from tests.redis_servers import loopback_redis

ENDLESS = {"tokens": 100_000, "token_rate": 20}
LEAVING_SECONDS = 10.0
"""Ten times what a client that leaves may take to free its slot."""
RULES = '[[rule]]\nname = "openai"\npath_prefix = "/v1/"\nlevel = "high"\nerrors = "openai"\n'


@dataclass
class ModelStack:
    """A stack with one slot in front of a model server, and a gateway on the same queues where nobody waits long."""

    stack: Stack
    impatient_url: str

    def reset(self) -> None:
        """Restore the mock target, which then makes three tokens at once."""
        self.stack.mock.post("/__admin/reset").raise_for_status()
        self.set_model(tokens=3, token_rate=1000)

    @property
    def url(self) -> str:
        return self.stack.url

    def set_model(self, **knobs: Any) -> None:
        self.stack.mock.patch("/__admin/settings", json=knobs).raise_for_status()

    def posts(self) -> list[dict[str, Any]]:
        """Return the calls that reached the model server."""
        return [arrival for arrival in self.stack.arrivals() if arrival["method"] == "POST"]

    def hold_slot(self) -> "HeldSlot":
        """Take the one slot with an endless answer, until the context ends."""
        self.set_model(**ENDLESS)
        return HeldSlot(self)


class HeldSlot:
    """The one slot, with an endless answer in it."""

    def __init__(self, model: ModelStack) -> None:
        self._model = model
        self._texts = stream_with_httpx(model.url)

    def __enter__(self) -> None:
        next(self._texts)
        self._model.set_model(tokens=2, token_rate=1000)

    def __exit__(self, *_: object) -> None:
        self._texts.close()


@contextmanager
def running_models(slots_in: str, folder: Path) -> Iterator[ModelStack]:
    """Yield a running stack whose one slot is in the `gateway` or in a `worker`."""
    rules = folder / "policy.toml"
    rules.write_text(RULES)
    with loopback_redis() as redis_port, running_stack(redis_port, folder) as stack:
        stack.start_mock()
        stack.start_gateway(FAST_PRIORITY_SLOTS="1" if slots_in == "gateway" else "0")
        if slots_in == "worker":
            stack.start_workers(concurrency=1)
        port = free_port()
        environment = {"FAST_PRIORITY_TTL": "1", "FAST_PRIORITY_POLICY_FILE": str(rules)}
        stack.start(gateway_process(stack.mock_url, "127.0.0.1", port, redis_port, **environment))
        url = f"http://127.0.0.1:{port}"
        wait_until("the second gateway answers", lambda: _is_live(url))
        yield ModelStack(stack, url)


def _is_live(url: str) -> bool:
    try:
        return httpx.get(f"{url}/gateway_health/live", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
