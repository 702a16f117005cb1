"""The compose files for model servers: their services, started as processes, with the mock target as the model."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml

from fast_priority.local.child_processes import ChildProcess, gateway_process, wait_until_answers
from tests.acceptance.model_clients import CHAT
from tests.harness import CLIENT_OPTIONS, Background, Stack, running_stack, wait_until
from tests.redis_servers import loopback_redis

EXAMPLES = Path(__file__).parents[2] / "examples"
ENDLESS = {"tokens": 100_000, "token_rate": 20}
CHAT_KEY, BATCH_KEY = ({"Authorization": f"Bearer {name}-key"} for name in ("chat", "batch"))


class Kind(NamedTuple):
    """One of the examples, and what its clients send."""

    name: str
    chat_path: str
    list_path: str
    chat: dict[str, str]
    batch: dict[str, str]


@dataclass
class Example:
    """A running example, with so many slots."""

    kind: Kind
    stack: Stack
    slots: int


KINDS = [
    Kind("ollama", "/api/chat", "/api/tags", {}, {"X-Job": "nightly"}),
    Kind("openai", "/v1/chat/completions", "/v1/models", CHAT_KEY, BATCH_KEY),
]


def services_of(name: str) -> dict[str, Any]:
    """Return the services of an example's compose file, with those of its mock.yml over them."""
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / name / "compose.yml").read_text())["services"]
    for service, changes in yaml.safe_load((EXAMPLES / name / "mock.yml").read_text())["services"].items():
        assert service in found
        found[service] |= changes
    return found


def files_of(name: str, service: dict[str, Any]) -> dict[str, str]:
    """Return the files that a service mounts, by their path in the container."""
    mounts = (mount.split(":") for mount in service["volumes"])
    return {inside: str((EXAMPLES / name / outside).resolve(strict=True)) for outside, inside, _ in mounts}


def start(stack: Stack, name: str) -> int:
    """Start what compose would, on ports of this stack; return the slots of the gateway."""
    services = services_of(name)
    assert services.keys() == {"gateway", "redis", "model"}
    program, command, *options = services["model"]["command"]
    assert (program, command) == ("fast-priority", "mock-target")
    asked = dict(zip(options[::2], options[1::2], strict=True))
    environment = dict(services["gateway"]["environment"])
    assert environment.pop("FAST_PRIORITY_TARGET_BASE_URL") == f"http://model:{asked['--port']}"
    assert environment.pop("FAST_PRIORITY_REDIS_HOST") == "redis"
    files = files_of(name, services["gateway"])
    environment = {variable: files.get(value, value) for variable, value in environment.items()}
    here = {**asked, "--host": "127.0.0.1", "--port": str(stack.mock_port)}
    arguments = ("-m", "mock_target", *(word for option in here.items() for word in option))
    wait_until_answers(stack.start(ChildProcess("mock target", arguments, {})), "mock", f"{stack.mock_url}/health")
    gateway = gateway_process(stack.mock_url, "127.0.0.1", stack.gateway_port, stack.redis_port, **environment)
    wait_until_answers(stack.start(gateway), "gateway", f"{stack.url}/gateway_health/ready")
    return int(environment["FAST_PRIORITY_SLOTS"])


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    kind: Kind = request.param
    with loopback_redis() as redis_port, running_stack(redis_port, tmp_path_factory.mktemp("example")) as stack:
        yield Example(kind, stack, start(stack, kind.name))


def test_chat_overtakes_batch(example: Example) -> None:
    """While the model is busy, a chat that came after a job's request is the next one that the model gets."""
    stack, kind = example.stack, example.kind
    url = f"{stack.url}{kind.chat_path}"
    stack.mock.patch("/__admin/settings", json=ENDLESS).raise_for_status()
    stack.forget_arrivals()
    with Background(2) as background, httpx.Client(**CLIENT_OPTIONS) as client, ExitStack() as streams:
        held = [streams.enter_context(ExitStack()) for _ in range(example.slots)]
        for one in held:
            response = one.enter_context(client.stream("POST", url, json={**CHAT, "stream": True}, headers=kind.chat))
            assert response.status_code == 200
        stack.mock.patch("/__admin/settings", json={"tokens": 1}).raise_for_status()
        send = partial(httpx.post, json=CHAT, timeout=60, trust_env=False)
        batch = background.send(partial(send, f"{url}?from=batch", headers=kind.batch))
        wait_until("the job waits", lambda: stack.health()["queue"] == {"high": 0, "low": 1})
        chat = background.send(partial(send, f"{url}?from=chat", headers=kind.chat))
        wait_until("the chat waits", lambda: stack.health()["queue"] == {"high": 1, "low": 1})
        assert client.get(f"{stack.url}{kind.list_path}").status_code == 200
        held[0].close()
        assert (chat.result().status_code, batch.result().status_code) == (200, 200)
    asked = [arrival["query"] for arrival in stack.arrivals() if arrival["query"]]
    assert asked == ["from=chat", "from=batch"]


def test_the_model_server_gets_no_key(example: Example) -> None:
    """A key that decides about the level stays at the gateway; without keys, what the client sends goes on."""
    echo = example.stack.client.put(example.kind.chat_path, headers=CHAT_KEY).json()
    names = {name for name, _ in echo["fields"]}
    assert ("authorization" in names) == (example.kind.name == "ollama")
