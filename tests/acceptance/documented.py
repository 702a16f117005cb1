"""The commands of the documentation: read from its blocks, run on free ports, or checked where they cannot be run."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import httpx
import typer
import yaml

from fast_priority import Settings
from loadtests.cli import app as loadtest_commands
from tests.acceptance.programs import BIN, forked_program, program
from tests.documents import REPOSITORY, Block
from tests.harness import Stack, wait_until

_SERVERS = {
    r"run-fast-priority|fast-priority gateway|fast-priority standalone|fastapi run|uvicorn": "gateway",
    r"fast-priority worker|rq worker": "worker",
    r"fast-priority mock-target|python -m mock_target": "target",
}
"""Commands that run until they are ended, and the role of each; starting one ends the one before in the same role."""
_RUN_TO_THEIR_END = (
    r"curl|fast-priority (config|explain)|fast-priority loadtest plan|rq (info|suspend|resume)|for|sleep|time|wait"
)
_OURS = ("fast-priority", "run-fast-priority")
_RUN_SECONDS = 60
_DEBIAN_PACKAGES = {"wrk", "haproxy", "nginx", "libnginx-mod-http-echo", "libfaketime"}
_IMAGES = {"fast-priority", "redis:7"}


def lines_of(block: Block) -> list[str]:
    """Return the commands of a block, each on one line, without comments."""
    text = re.sub(r"\\\n\s*", "", block.text)
    return [line for line in (re.sub(r"(^|\s+)#.*", "", line).strip() for line in text.splitlines()) if line]


def split(line: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables in front of a command, and its words."""
    words = shlex.split(line)
    count = next((at for at, word in enumerate(words) if not re.match(r"[A-Z_]+=", word)), len(words))
    return dict(word.split("=", 1) for word in words[:count]), words[count:]


class Reader:
    """Runs the commands of one page as a reader types them, block by block, beside a stack with its own ports.

    With `forks`, what runs our programs are forks, which need a tenth of the time to start.
    """

    def __init__(self, stack: Stack, *, forks: bool) -> None:
        self._stack = stack
        self._forks = forks
        self._parts: dict[str, ExitStack] = {}
        self._carries = False
        self._gateway_has_slots = False

    def close(self) -> None:
        """Stop all processes that were started."""
        for role in ("gateway", "worker", "target"):
            self._end(role)

    def type_block(self, block: Block) -> None:
        """Run or check each command of a block. Raise AssertionError if one does not do what it should."""
        script: list[str] = []
        for line in lines_of(block):
            role = _role_of(line)
            ends = re.match(rf"([A-Z_]+=\S+ +)*({_RUN_TO_THEIR_END})\b", line)
            if role or not ends:
                self._run(script)
                script = []
            if role:
                self._start(role, line)
            elif not ends:
                check(line)
            else:
                script.append(line)
        self._run(script)
        if self._carries and "gateway" in self._parts and ("worker" in self._parts or self._gateway_has_slots):
            assert self._stack.client.get("/documented").status_code == 200

    def _start(self, role: str, line: str) -> None:
        variables, words = split(self._here(line))
        is_standalone = "standalone" in words
        if role == "gateway" and "WORKER" in line.partition("run-fast-priority")[0]:
            role = "worker"
        self._end(role)
        if is_standalone:
            self._end("worker")
        if role != "target":
            self._need_target()
        before = self._workers()
        part = self._parts[role] = ExitStack()
        defaults = {} if is_standalone else self._redis()
        defaults |= {"FAST_PRIORITY_HOST": "127.0.0.1", "FAST_PRIORITY_PORT": str(self._stack.gateway_port)}
        defaults |= {"MOCK_TARGET_PORT": str(self._stack.mock_port)}
        process = part.enter_context(self._program(words, {**defaults, **variables}))
        if role == "worker":
            wait_until(f"workers are there: {line}", lambda: process.poll() is not None or self._workers() > before)
        else:
            url = self._stack.mock_url if role == "target" else self._stack.url
            wait_until(f"it answers: {line}", lambda: process.poll() is not None or self._answers(url))
        assert process.poll() is None, f"it ended by itself: {line}"
        if role == "gateway":
            self._carries = words[0] != "uvicorn"
            self._gateway_has_slots = "--slots" in words or "FAST_PRIORITY_SLOTS" in variables
            if is_standalone:
                self._parts["worker"] = ExitStack()

    def _program(
        self, words: list[str], environment: dict[str, str]
    ) -> AbstractContextManager["subprocess.Popen[bytes]"]:
        if words[0] in _OURS and self._forks:
            return forked_program(self._stack, str(BIN / words[0]), *words[1:], **environment)
        executable = sys.executable if words[0] in ("python", "python3") else str(BIN / words[0])
        return program(self._stack, executable, *words[1:], **environment)

    def _answers(self, url: str) -> bool:
        try:
            return self._stack.client.get(f"{url}/gateway_health/ready", timeout=5).status_code != 502
        except httpx.TransportError:
            return False

    def _run(self, script: list[str]) -> None:
        if not script:
            return
        text = self._here("\n".join(script))
        self._need_target()
        if self._stack.url in text.replace("localhost", "127.0.0.1") and "gateway" not in self._parts:
            self._parts["gateway"] = ExitStack()
            self._stack.start_gateway()
            self._stack.start_workers()
        text = re.sub(
            r"\bcurl (?!.*mock_status)", "curl --fail ", re.sub(r"\bcurl ", "curl --silent --show-error ", text)
        )
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **self._redis()}
        ended = subprocess.run(
            ["bash", "-e", "-c", text], cwd=REPOSITORY, env=environment, capture_output=True, text=True,
            timeout=_RUN_SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, f"{text}\n{ended.stdout}{ended.stderr}"
        assert ended.stdout + ended.stderr, f"it prints nothing: {text}"

    def _need_target(self) -> None:
        if "target" not in self._parts:
            self._parts["target"] = ExitStack()
            self._stack.start_mock()

    def _end(self, role: str) -> None:
        if role in self._parts:
            self._parts.pop(role).close()

    def _workers(self) -> int:
        count: int = self._stack.redis.scard("rq:workers")
        return count

    def _redis(self) -> dict[str, str]:
        port = str(self._stack.redis_port)
        return {"FAST_PRIORITY_REDIS_PORT": port, "RQ_REDIS_URL": f"redis://127.0.0.1:{port}"}

    def _here(self, text: str) -> str:
        """Return a command with the ports of this stack in place of those of the documentation."""
        ports = {"6379": self._stack.redis_port, "9000": self._stack.mock_port}
        ports |= dict.fromkeys(("8000", "8001", "8080"), self._stack.gateway_port)
        ports["11434"] = self._stack.mock_port
        return re.sub(
            r"(\b(?:localhost|127\.0\.0\.1):|--port )(\d{4,5})\b", lambda found: f"{found[1]}{ports[found[2]]}", text
        )


def check(line: str) -> None:
    """Check a command that no test can run here. Raise AssertionError if it is wrong or unknown."""
    for pattern, one in _CHECKS.items():
        if re.match(pattern, line):
            one(split(line)[1])
            return
    raise AssertionError(f"no test knows how to run or check {line!r}")


def _role_of(line: str) -> str | None:
    command = re.sub(r"^([A-Z_]+=\S+ +)*", "", line)
    return next((role for pattern, role in _SERVERS.items() if re.match(rf"({pattern})\b", command)), None)


def _check_make(words: list[str]) -> None:
    ended = subprocess.run(
        ["make", "--dry-run", *words[1:]], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def _check_pip(words: list[str]) -> None:
    assert words[1] == "install"
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    for word in words[2:]:
        named = re.fullmatch(r"\.(?:/fast-priority)?(?:\[([\w,-]+)\])?", word)
        assert named or word == "-c" or (REPOSITORY / word.removeprefix("fast-priority/")).is_file(), word
        assert not named or not named[1] or set(named[1].split(",")) <= extras, word


def _check_docker(words: list[str]) -> None:
    if words[1] == "compose":
        _check_compose(words[2:])
    elif words[1] == "run":
        _check_docker_run(words[2:])
    else:
        assert words[1:] in (["build", "-t", "fast-priority", "."], ["network", "create", "priority"])
        assert (REPOSITORY / "Dockerfile").is_file()


def _check_compose(words: list[str]) -> None:
    file = words[words.index("-f") + 1] if "-f" in words else "docker-compose.yml"
    services = yaml.safe_load((REPOSITORY / file).read_text())["services"]
    named = [
        words[at + 1].partition("=")[0] for at, word in enumerate(words) if word in ("--exit-code-from", "--scale")
    ]
    assert "up" in words
    assert set(named) <= set(services)


def _check_docker_run(words: list[str]) -> None:
    assert _IMAGES & set(words), "it names no image"
    at_image = next(at for at, word in enumerate(words) if word in _IMAGES)
    flags = ("-d", "-it", "--rm")
    words, of_image = [word for word in words[: at_image + 1] if word not in flags], words[at_image + 1 :]
    options = dict(zip(words[:-1:2], words[1:-1:2], strict=True))
    variables = [words[at + 1].partition("=")[0] for at, word in enumerate(words) if word == "-e"]
    known = {f"FAST_PRIORITY_{name.upper()}" for name in Settings.model_fields}
    is_program = not of_image or of_image[0] == "sh" or (BIN / of_image[0]).is_file()
    assert is_program or words[-1] == "redis:7", f"no program of the image: {of_image}"
    assert set(options) <= {"--network", "--name", "-p", "-e", "--stop-timeout"}
    assert set(variables) <= known
    assert options.get("-p", "8000:8000").endswith(f":{Settings.model_fields['port'].default}")


def _check_nox(words: list[str]) -> None:
    flag, session = words[1:]
    assert flag == "-s"
    assert f"\ndef {session}(session" in (REPOSITORY / "noxfile.py").read_text()


def _check_kubectl(words: list[str]) -> None:
    assert words[1:3] == ["apply", "-f"]
    assert list(yaml.safe_load_all((REPOSITORY / words[3]).read_text()))


def _check_loadtest(words: list[str]) -> None:
    group: Any = typer.main.get_command(loadtest_commands)
    name, *options = words[2:]
    group.commands[name].make_context(name, options)


def _check_benchmark(words: list[str]) -> None:
    wanted = words[1 : words.index(">")] if ">" in words else words[1:]
    ended = subprocess.run(
        [sys.executable, *wanted, "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr


def _check_apt(words: list[str]) -> None:
    assert set(words[2:]) <= _DEBIAN_PACKAGES


def _check_bash(words: list[str]) -> None:
    subprocess.run(["bash", "-n", *words[1:]], cwd=REPOSITORY, check=True)


def _check_pre_commit(words: list[str]) -> None:
    assert words[1:] == ["install"]
    assert (REPOSITORY / ".pre-commit-config.yaml").is_file()
    assert (BIN / "pre-commit").is_file()


def _check_virtual_environment(words: list[str]) -> None:
    assert words in (["python3", "-m", "venv", "venv"], [".", "venv/bin/activate"])


_CHECKS: dict[str, Callable[[list[str]], None]] = {
    r"make ": _check_make,
    r"pip ": _check_pip,
    r"docker ": _check_docker,
    r"kubectl ": _check_kubectl,
    r"fast-priority loadtest (check|judge|ui)\b": _check_loadtest,
    r"python -m benchmarks ": _check_benchmark,
    r"apt install ": _check_apt,
    r"bash \.ci/run$": _check_bash,
    r"\.venv/bin/pre-commit ": _check_pre_commit,
    r"\.venv/bin/nox ": _check_nox,
    r"python3 -m venv |\. venv/": _check_virtual_environment,
}
"""Commands that need a container engine, a cluster, an installation or minutes, and what is checked of each."""


@contextmanager
def reader_of(stack: Stack, *, forks: bool) -> Iterator[Reader]:
    """Yield a reader beside this stack, and stop what it has started."""
    reader = Reader(stack, forks=forks)
    try:
        yield reader
    finally:
        reader.close()
