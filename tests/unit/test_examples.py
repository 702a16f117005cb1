"""The examples for compose and Kubernetes against the settings, the image and the command line."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from fast_priority import Settings
from fast_priority.cli import app as commands
from mock_target.cli import app as mock_commands

REPOSITORY = Path(__file__).parents[2]
KUBERNETES: dict[tuple[str, str], Any] = {
    (one["kind"], one["metadata"]["name"]): one
    for one in yaml.safe_load_all((REPOSITORY / "examples" / "kubernetes" / "fast-priority.yaml").read_text())
}
COMPOSE = [REPOSITORY / "docker-compose.yml", REPOSITORY / "docker-compose.test.yml"]
MODEL_EXAMPLES = ["ollama", "openai"]
OWN_IMAGES = r"fast-priority(-loadtest|:[\d.]+)?"
SECONDS = {"s": 1, "m": 60}


def services() -> Iterator[Any]:
    for file in COMPOSE:
        for name, service in yaml.safe_load(file.read_text())["services"].items():
            yield pytest.param(service, id=f"{file.name}:{name}")


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Load settings from variables, as a program in the container does."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def pod(name: str) -> Any:
    return KUBERNETES["Deployment", f"fast-priority-{name}"]["spec"]["template"]["spec"]


def environment_of(name: str) -> dict[str, str]:
    """Return the variables of a pod's container: its own, those of its ConfigMaps and those of its Secrets."""
    (container,) = pod(name)["containers"]
    found = {one["name"]: one["value"] for one in container.get("env", [])}
    for source in container["envFrom"]:
        if "configMapRef" in source:
            found |= KUBERNETES["ConfigMap", source["configMapRef"]["name"]]["data"]
        else:
            found |= KUBERNETES["Secret", source["secretRef"]["name"]]["stringData"]
    return found


@pytest.mark.parametrize("service", list(services()))
def test_a_service_of_compose_has_good_settings(monkeypatch: pytest.MonkeyPatch, service: dict[str, Any]) -> None:
    """The variables of each service are settings that load, and what it depends on is named in the same file."""
    environment = service.get("environment", {})
    known = {f"FAST_PRIORITY_{name.upper()}" for name in Settings.model_fields}
    assert set(environment) <= known
    settings = settings_of(environment, monkeypatch)
    assert settings.runs_as_worker or not environment or settings.target_base_url == "http://target:9000"


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_the_mock_target_of_compose_starts(file: Path) -> None:
    """The command of the service `target` exists, with options that it takes."""
    program, command, *options = yaml.safe_load(file.read_text())["services"]["target"]["command"]
    assert (program, command) == ("fast-priority", "mock-target")
    assert command in typer.main.get_command(commands).commands  # type: ignore[attr-defined]
    context = typer.main.get_command(mock_commands).make_context(command, options)
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", 9000)


def test_compose_gives_time_to_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway may take as long to end as its settings say, and a worker longer than the target may be silent."""
    found = yaml.safe_load(COMPOSE[0].read_text())["services"]
    grace = {name: seconds(found[name]["stop_grace_period"]) for name in ("gateway", "worker")}
    assert grace["gateway"] > settings_of(found["gateway"]["environment"], monkeypatch).drain_seconds
    assert grace["worker"] > Settings.load().timeout


def seconds(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]]


@pytest.mark.parametrize("name", MODEL_EXAMPLES)
def test_a_model_server_has_as_many_slots_as_its_gateway(name: str) -> None:
    """What the gateway sends at once is what the model server answers at once."""
    services = model_services(name)
    model = services["model"]
    options = model.get("command", [])
    own = model["environment"]["OLLAMA_NUM_PARALLEL"] if name == "ollama" else options[options.index("--parallel") + 1]
    assert services["gateway"]["environment"]["FAST_PRIORITY_SLOTS"] == own


@pytest.mark.parametrize("name", MODEL_EXAMPLES)
def test_compose_for_models_gives_time_to_drain(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The gateway may take as long to end as its settings say; its settings load, with the files that it mounts."""
    gateway = model_services(name)["gateway"]
    mounts = dict(reversed(mount.split(":")[:2]) for mount in gateway["volumes"])
    folder = REPOSITORY / "examples" / name
    environment = {
        variable: str(folder / mounts[value]) if value in mounts else value
        for variable, value in gateway["environment"].items()
    }
    settings = settings_of(environment, monkeypatch)
    assert settings.policy_file is not None
    assert seconds(gateway["stop_grace_period"]) > settings.drain_seconds


def model_services(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / "examples" / name / "compose.yml").read_text())["services"]
    return found


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_a_pod_has_good_settings(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The variables of gateway and worker pods load, decide the role, and name the target and the Service of Redis."""
    settings = settings_of(environment_of(name), monkeypatch)
    assert settings.runs_as_worker == (name == "worker")
    assert settings.target_base_url == "http://api:8080"
    assert ("Service", settings.redis_host) in KUBERNETES
    assert settings.redis_password is not None


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_kubernetes_adds_no_settings_of_its_own(name: str) -> None:
    """A Service named fast-priority puts no FAST_PRIORITY_PORT into the pods, and none of them runs as root."""
    assert pod(name)["enableServiceLinks"] is False
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    assert re.fullmatch(OWN_IMAGES, pod(name)["containers"][0]["image"])


def test_the_probes_ask_what_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness and liveness ask the gateway's own paths, on the port that it listens on."""
    settings = settings_of(environment_of("gateway"), monkeypatch)
    (container,) = pod("gateway")["containers"]
    ready, live = container["readinessProbe"]["httpGet"], container["livenessProbe"]["httpGet"]
    assert (ready["path"], live["path"]) == (f"{settings.health_path}/ready", f"{settings.health_path}/live")
    assert {ready["port"], live["port"], container["ports"][0]["containerPort"]} == {settings.port}
    assert KUBERNETES["Service", "fast-priority"]["spec"]["ports"][0]["targetPort"] == settings.port


def test_kubernetes_gives_time_to_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grace period covers FAST_PRIORITY_DRAIN_DELAY and the draining; a worker's covers FAST_PRIORITY_TIMEOUT."""
    settings = settings_of(environment_of("gateway"), monkeypatch)
    assert settings.drain_delay > 0
    assert pod("gateway")["terminationGracePeriodSeconds"] > settings.drain_delay + settings.drain_seconds
    assert pod("worker")["terminationGracePeriodSeconds"] > settings.timeout


def test_the_slots_are_those_that_the_example_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas, processes and concurrency multiply to the 16 slots of the documentation, also during an update."""
    settings = settings_of(environment_of("worker"), monkeypatch)
    deployment = KUBERNETES["Deployment", "fast-priority-worker"]["spec"]
    assert deployment["replicas"] * settings.worker_processes * settings.worker_concurrency == 16
    assert deployment["strategy"]["rollingUpdate"]["maxSurge"] == 0
    page = " ".join((REPOSITORY / "docs" / "deployment.md").read_text().split())
    assert "two workers with 16 slots in all" in page


def test_only_gateways_and_workers_reach_redis() -> None:
    """The network policy selects the pod of Redis, and lets in pods of the two roles, on its port."""
    policy = KUBERNETES["NetworkPolicy", "fast-priority-redis"]["spec"]
    redis = KUBERNETES["Deployment", "fast-priority-redis"]["spec"]["template"]
    assert policy["podSelector"]["matchLabels"] == redis["metadata"]["labels"]
    roles = {one["key"]: one["values"] for one in policy["ingress"][0]["from"][0]["podSelector"]["matchExpressions"]}
    assert roles == {"app": ["fast-priority"], "role": ["gateway", "worker"]}
    assert policy["ingress"][0]["ports"] == [{"port": redis["spec"]["containers"][0]["ports"][0]["containerPort"]}]


def test_redis_keeps_what_waits() -> None:
    """Redis evicts nothing, and wants the password that gateways and workers have."""
    (script,) = pod("redis")["containers"][0]["args"]
    environment = {"PATH": os.environ["PATH"], "FAST_PRIORITY_REDIS_PASSWORD": "a secret"}
    told = subprocess.run(
        ["sh", "-c", script.replace("exec redis-server -", "cat")],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    ).stdout.splitlines()  # fmt: skip
    assert "maxmemory-policy noeviction" in told
    assert 'requirepass "a secret"' in told
    assert "FAST_PRIORITY_REDIS_PASSWORD" in environment_of("redis")
