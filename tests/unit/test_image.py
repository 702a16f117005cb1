"""What the container image runs, and that it gets the signals of the container."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRY_POINT = ROOT / "docker-entrypoint.sh"
PROGRAMS = ("run-fast-priority", "fast-priority", "rq", "python", "sh")
SAY = """#!/bin/sh\nprintf '%s\\n' "$$" "${0##*/}" "$@"\n"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with programs that print their process id, their name and their arguments."""
    for name in PROGRAMS:
        program = tmp_path / name
        program.write_text(SAY)
        program.chmod(0o755)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[bool, list[str]]:
    """Run the entry point. Return whether the program has taken its process, and the program's name and arguments."""
    process = subprocess.Popen(
        ["/bin/sh", str(ENTRY_POINT), *arguments], env={"PATH": str(folder)}, stdout=subprocess.PIPE, text=True
    )
    said = process.communicate(timeout=60)[0].splitlines()
    return said[0] == str(process.pid), said[1:]


@pytest.mark.parametrize(
    ("arguments", "what_runs"),
    [
        ([], ["run-fast-priority"]),
        (["--workers", "2"], ["run-fast-priority", "--workers", "2"]),
        (["--help"], ["run-fast-priority", "--help"]),
        (["-h"], ["run-fast-priority", "-h"]),
        ([""], ["run-fast-priority", ""]),
        (["config"], ["run-fast-priority", "config"]),
        (["worker", "--workers", "2"], ["run-fast-priority", "worker", "--workers", "2"]),
        (["no-such-program"], ["run-fast-priority", "no-such-program"]),
        (["rq", "worker", "high", "low"], ["rq", "worker", "high", "low"]),
        (["sh"], ["sh"]),
        (["sh", "-c", "a  b; c"], ["sh", "-c", "a  b; c"]),
        (["fast-priority", "--help"], ["fast-priority", "--help"]),
        (["python", "-V"], ["python", "-V"]),
        (["run-fast-priority"], ["run-fast-priority"]),
    ],
)
def test_what_runs(folder: Path, arguments: list[str], what_runs: list[str]) -> None:
    """A program on PATH runs with its arguments; all else is for run-fast-priority. Either is the process itself."""
    assert run(folder, *arguments) == (True, what_runs)


def test_a_path_of_a_program(folder: Path) -> None:
    """A program may be named by its path."""
    assert run(folder, str(folder / "rq"), "info") == (True, ["rq", "info"])


@pytest.mark.parametrize("arguments", [["-n"], ["--", "x"], ["-c", "exit 3"]])
def test_options_are_not_the_shells(folder: Path, arguments: list[str]) -> None:
    """No option is taken by the shell, whatever its name is."""
    assert run(folder, *arguments) == (True, ["run-fast-priority", *arguments])


def test_the_image_has_it() -> None:
    """The image copies this very script, which can be executed, and starts it in the exec form."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    (place,) = re.findall(r"^COPY docker-entrypoint\.sh (\S+)$", dockerfile, re.MULTILINE)
    last_entry_point = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)[-1]
    assert last_entry_point == f'["{Path(place).name}"]'
    assert os.access(ENTRY_POINT, os.X_OK)
    assert "!docker-entrypoint.sh" in (ROOT / ".dockerignore").read_text().splitlines()
