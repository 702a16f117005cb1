"""The command line: the environment decides the role, an error is one line, help explains."""

import logging
import subprocess
import sys
from importlib.metadata import entry_points, version

import click
import pytest
from typer.testing import CliRunner, Result

from fast_priority import cli
from fast_priority.settings import Settings

WIDE = {"COLUMNS": "200", "NO_COLOR": "1"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments, env=WIDE, catch_exceptions=False, prog_name="fast-priority")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Settings]]:
    """What the command line would have started: the role and its settings."""
    started: list[tuple[str, Settings]] = []
    monkeypatch.setattr(cli, "_run_gateway", lambda settings, why, *_: started.append(("gateway", settings)))
    monkeypatch.setattr(cli, "_run_workers", lambda settings, why: started.append(("workers", settings)))
    return started


class FakePool:
    """Workers that end at once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def run(self) -> None:
        """Do nothing."""


class FakeServer:
    """A server that ends at once."""

    started = True

    def run(self) -> None:
        """Do nothing."""


Started = list[tuple[str, Settings]]


def test_gateway_by_environment(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a command and without FAST_PRIORITY_WORKERS, the gateway runs."""
    monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", "http://api")
    assert run().exit_code == 0
    ((role, settings),) = started
    assert (role, settings.target_base_url) == ("gateway", "http://api")


@pytest.mark.parametrize("variable", ["FAST_PRIORITY_WORKERS", "FAST_PRIORITY_WORKER"])
def test_workers_by_environment(started: Started, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Without a command, either name of FAST_PRIORITY_WORKERS starts that many workers."""
    monkeypatch.setenv(variable, "3")
    assert run().exit_code == 0
    ((role, settings),) = started
    assert (role, settings.worker_processes) == ("workers", 3)


@pytest.mark.parametrize(
    ("text", "processes"), [("3", "3 worker processes"), ("2.0", "1 worker process"), ("1", "1 worker process")]
)
def test_worker_start_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str, processes: str
) -> None:
    """The lines with which workers start show why, the version, processes and slots, the target, and which Redis."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("fast_priority.worker.PriorityWorkerPool", FakePool)
    monkeypatch.setenv("FAST_PRIORITY_WORKERS", text)
    run()
    why, line = caplog.messages
    shown = text if text.isdecimal() else repr(text)
    assert why == f"worker: FAST_PRIORITY_WORKERS={shown} from the environment"
    assert line == (
        f"Fast Priority {version('fast-priority')}: {processes} with 1 slot each for the target of each request's "
        "gateway, with the queues of Redis at localhost:6379"
    )


def test_gateway_start_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A gateway logs why it is one: no variable asks for workers, or the command is that of a gateway."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("fast_priority.server.server_for", lambda app, settings, sockets: FakeServer())
    monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", "http://api")
    run()
    run("gateway")
    assert caplog.messages == [
        "gateway: FAST_PRIORITY_WORKERS is not set",
        "gateway: the command is `fast-priority gateway`",
    ]


@pytest.mark.parametrize("variable", ["FAST_PRIORITY_WORKERS", "FAST_PRIORITY_WORKER"])
def test_empty_is_gateway(started: Started, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """An empty FAST_PRIORITY_WORKERS, as Compose passes on what is not set, starts a gateway."""
    monkeypatch.setenv(variable, "")
    run()
    assert [role for role, _ in started] == ["gateway"]


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        (["--target", "http://api"], "target_base_url", "http://api"),
        (["--host", "127.0.0.1"], "host", "127.0.0.1"),
        (["--port", "8001"], "port", 8001),
        (["--slots", "4"], "slots", 4),
        (["--redis-host", "redis"], "redis_host", "redis"),
        (["--redis-port", "6380"], "redis_port", 6380),
    ],
)
def test_gateway_options(started: Started, options: list[str], name: str, value: object) -> None:
    """Each option of `gateway` sets its setting."""
    assert run("gateway", *options).exit_code == 0
    ((role, settings),) = started
    assert (role, getattr(settings, name)) == ("gateway", value)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        (["--workers", "2"], "worker_processes", 2),
        (["--concurrency", "8"], "worker_concurrency", 8),
        (["--target", "http://api"], "target_base_url", "http://api"),
        (["--redis-host", "redis"], "redis_host", "redis"),
        (["--redis-port", "6380"], "redis_port", 6380),
    ],
)
def test_worker_options(started: Started, options: list[str], name: str, value: object) -> None:
    """Each option of `worker` sets its setting."""
    assert run("worker", *options).exit_code == 0
    ((role, settings),) = started
    assert (role, getattr(settings, name)) == ("workers", value)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ([], "processes", 1),
        (["--processes", "3"], "processes", 3),
        (["--slots", "4"], "slots", 4),
        (["--workers", "2"], "worker_processes", 2),
        (["--concurrency", "8"], "worker_concurrency", 8),
        (["--target", "http://api"], "target_base_url", "http://api"),
        (["--port", "8001"], "port", 8001),
    ],
)
def test_standalone_options(monkeypatch: pytest.MonkeyPatch, options: list[str], name: str, value: object) -> None:
    """Each option of `standalone` sets its setting, or the number of gateway processes."""
    started: list[tuple[Settings, int]] = []
    monkeypatch.setattr(
        "fast_priority.local.standalone.run_standalone",
        lambda settings, processes, embed_redis: started.append((settings, processes)),
    )
    assert run("standalone", *options).exit_code == 0
    ((settings, processes),) = started
    assert (processes if name == "processes" else getattr(settings, name)) == value


@pytest.mark.parametrize("number", ["0", "-1", "513", "two"])
def test_impossible_number_of_processes(number: str) -> None:
    """A number of gateway processes that cannot be is refused; the message names the option."""
    result = run("standalone", "--target", "http://api", "--processes", number)
    assert result.exit_code == 2
    assert "--processes" in click.unstyle(result.stderr)


@pytest.mark.parametrize("numbers", ["", "x", "-1", "999", "0,999"])
def test_sockets_that_are_none(monkeypatch: pytest.MonkeyPatch, numbers: str) -> None:
    """A gateway that is told to listen on what is no socket says so in one line."""
    monkeypatch.setenv("FAST_PRIORITY_TARGET_BASE_URL", "http://api")
    result = run("gateway", "--listen-fds", numbers)
    assert result.exit_code == 2
    (line,) = [one for one in result.stderr.splitlines() if one.startswith("error:")]
    assert line.startswith(f"error: --listen-fds {numbers} cannot be used")


def test_command_wins_over_environment(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """`gateway` starts a gateway even if FAST_PRIORITY_WORKERS is set, and its options win over the environment."""
    monkeypatch.setenv("FAST_PRIORITY_WORKERS", "2")
    monkeypatch.setenv("FAST_PRIORITY_PORT", "1")
    run("gateway", "--port", "2")
    ((role, settings),) = started
    assert (role, settings.port) == ("gateway", 2)


@pytest.mark.parametrize("arguments", [[], ["gateway"]])
def test_gateway_without_target(arguments: list[str]) -> None:
    """A gateway without a target is one line on standard error and exit status 2."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: FAST_PRIORITY_TARGET_BASE_URL is not set")


@pytest.mark.parametrize("arguments", [[], ["gateway"], ["worker"], ["standalone"], ["config"]])
def test_bad_value(started: Started, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """A bad value is one line on standard error and exit status 2, whatever the command; nothing is started."""
    monkeypatch.setenv("FAST_PRIORITY_TTL", "soon")
    result = run(*arguments)
    assert (result.exit_code, started) == (2, [])
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: FAST_PRIORITY_TTL='soon'")


def test_two_bad_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bad values are two lines, each of them marked as an error."""
    monkeypatch.setenv("FAST_PRIORITY_TTL", "soon")
    monkeypatch.setenv("FAST_PRIORITY_PORT", "first")
    lines = run().stderr.splitlines()
    assert [line.split("=")[0] for line in lines] == ["error: FAST_PRIORITY_TTL", "error: FAST_PRIORITY_PORT"]


def test_unknown_variable(started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is a warning on standard error, with the nearest name; the program still starts."""
    monkeypatch.setenv("FAST_PRIORITY_TARGET_URL", "http://api")
    result = run()
    assert "warning: FAST_PRIORITY_TARGET_URL" in result.stderr
    assert "did you mean FAST_PRIORITY_TARGET_BASE_URL?" in result.stderr
    assert started


@pytest.mark.parametrize(
    ("arguments", "taught"),
    [
        ([], ["gateway", "worker", "standalone", "demo", "mock-target", "config", "FAST_PRIORITY_WORKERS"]),
        (["gateway"], ["--target", "FAST_PRIORITY_TARGET_BASE_URL", "--port", "--redis-host", "Example:"]),
        (["gateway"], ["--slots", "FAST_PRIORITY_SLOTS", "needs no worker"]),
        (["worker"], ["--workers", "--concurrency", "FAST_PRIORITY_WORKER_CONCURRENCY", "Example:"]),
        (["standalone"], ["--target", "--workers", "FAST_PRIORITY_REDIS_HOST", "Example:"]),
        (["standalone"], ["--slots", "FAST_PRIORITY_SLOTS", "in `standalone` 1", "--processes"]),
        (["demo"], ["--seconds", "--slots", "Example:"]),
        (["config"], ["where it came from"]),
    ],
)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(arguments: list[str], taught: list[str], flag: str) -> None:
    """Help names the options, the variables behind them, and an example to copy."""
    result = run(*arguments, flag)
    assert result.exit_code == 0
    assert [word for word in taught if word not in click.unstyle(result.stdout)] == []


@pytest.mark.parametrize("module", ["fast_priority", "fast_priority.cli"])
def test_as_a_program(module: str) -> None:
    """Started by either module, without a target: one line, exit status 2, no traceback."""
    ended = subprocess.run([sys.executable, "-m", module], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize("arguments", [["--version"], ["mock-target", "--help"], ["config"]])
def test_modules_are_the_same(arguments: list[str]) -> None:
    """`python -m fast_priority.cli` does what `python -m fast_priority` does."""
    outputs = [
        subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=True).stdout
        for module in ("fast_priority", "fast_priority.cli")
    ]
    assert outputs[0]
    assert outputs[0] == outputs[1]


def test_module_for_servers() -> None:
    """`fastapi run` and uvicorn, which import the module for its `app`, end in one line without a target as well."""
    ended = subprocess.run(
        [sys.executable, "-c", "from fast_priority.app import app"], capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: FAST_PRIORITY_TARGET_BASE_URL is not set")


@pytest.mark.parametrize("name", ["run-fast-priority", "fast-priority"])
def test_installed_names(name: str) -> None:
    """The package installs the program under both of its names."""
    (script,) = entry_points(group="console_scripts", name=name)
    assert script.load() is cli.main
