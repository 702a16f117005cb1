"""Each command in the documentation works: it is run, or checked where a test cannot run it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.acceptance.documented import check, lines_of, reader_of
from tests.documents import PAGES, REPOSITORY, Block, blocks_of, name_of
from tests.harness import Stack

WITH_COMMANDS = [page for page in PAGES if any(block.language == "sh" for block in blocks_of(page))]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the documentation sends its requests with curl")
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_the_commands_of_a_page(stack: Stack, page: Path) -> None:
    """The commands of a page, run in order, start what they should, end with 0, and forward a request."""
    # README.md has each way to start a program of ours, and starts it from nothing.
    with reader_of(stack, forks=name_of(page) != "README.md") as reader:
        for block in blocks_of(page):
            if block.language == "sh":
                reader.type_block(block)


def test_pages_with_commands_are_found() -> None:
    """The pages that readers start with are among those whose commands are run."""
    names = {name_of(page) for page in WITH_COMMANDS}
    assert {"README.md", "docs/getting-started.md", "docs/deployment.md", "docs/operations.md", "docs/ci.md"} <= names


def test_lines_are_read_as_a_shell_reads_them() -> None:
    """Comments are removed and continued lines are joined; a # inside a word begins no comment."""
    block = Block(REPOSITORY, 1, "sh", "# first\ncurl a#b \\\n  --fail   # the echo\n\nmake demo\n")
    assert lines_of(block) == ["curl a#b --fail", "make demo"]


@pytest.mark.parametrize(
    "wrong",
    [
        "make demmo",
        "pip install '.[everything]'",
        "pip install . -c missing.txt",
        "docker run -e FAST_PRIORITY_TARGET=http://api fast-priority",
        "docker run -p 8000:80 fast-priority",
        "docker compose up --scale workers=3",
        "kubectl delete -f examples/kubernetes/fast-priority.yaml",
        "python -m benchmarks proof everything",
        "unknown command",
    ],
)
def test_a_wrong_command_is_found(wrong: str) -> None:
    """A command with a wrong target, extra, file, variable, port or service is found, and so is an unknown one."""
    with pytest.raises(AssertionError):
        check(wrong)


def make_demo(seconds: int) -> "subprocess.Popen[str]":
    """Start `make demo` with the environment that is installed here, as a terminal does: in a process group."""
    environment = Path(sys.executable).parents[1]
    made = [f"--assume-old={environment}/{name}" for name in ("installed-demo", "bin/python")]
    return subprocess.Popen(
        ["make", *made, f"VENV={environment}", "demo", f"SECONDS={seconds}"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_the_demo_by_make() -> None:
    """`make demo` runs the demo."""
    demo = make_demo(seconds=3)
    said, _ = demo.communicate(timeout=90)
    assert demo.returncode == 0, said
    assert "PASSED, 0 inversions" in said


def test_ctrl_c_in_the_demo_is_no_error() -> None:
    """Ctrl-C, which make gets too, ends the demo with its own sentence, and make says nothing of an error."""
    demo = make_demo(seconds=600)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("Starting a Redis"):
            break
    os.killpg(demo.pid, signal.SIGINT)
    said, _ = demo.communicate(timeout=90)
    assert "Interrupted. All that was started is stopped" in said
    assert "make:" not in said
    assert "error" not in said.lower()


def test_the_workflow_to_copy() -> None:
    """Each command of the workflow is right, and the slots that it judges are those that it starts."""
    workflow = yaml.safe_load((REPOSITORY / "examples" / "ci" / "ordering.yml").read_text())
    runs = [step["run"].removesuffix(" &") for step in workflow["jobs"]["ordering"]["steps"] if "run" in step]
    installed, target, gateway, judged = runs
    check(installed)
    check(judged)
    assert (target, "--target http://localhost:9000 --port 8080" in gateway) == (
        "fast-priority mock-target --port 9000",
        True,
    )
    assert "--workers 2 --concurrency 2" in gateway
    assert "--slots 4" in judged
