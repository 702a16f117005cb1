"""The layering of the packages, as the contracts in pyproject.toml state it."""

import subprocess
import sys
from pathlib import Path

import pytest

IN_A_PROCESS_OF_ITS_OWN = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_contracts_hold(pytestconfig: pytest.Config) -> None:
    """The contracts of import-linter hold: imports point one way, and only some rooms use HTTP or Redis."""
    linted = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


NOT_FOR_A_JOB = {
    "fastapi",
    "starlette",
    "uvicorn",
    "typer",
    "rich",
    "locust",
    "fast_priority.broker.producer",
    "fast_priority.gateway",
    "fast_priority.server",
    "fast_priority.worker",
}


def test_stock_worker_loads_little(tmp_path: Path) -> None:
    """What a stock rq worker imports for every job has no web framework, no command line, and no part of the gateway.

    rq's own command line, which has loaded `click` and more, is not counted: it runs once, and not for each job.
    """
    code = "import sys, fast_priority.job; print(*sys.modules, sep='\\n')"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert NOT_FOR_A_JOB & set(ran.stdout.split()) == set()


@pytest.fixture(scope="module")
def loaded_by_the_command_lines(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The modules that the command lines import."""
    code = "import sys, fast_priority.cli, loadtests.cli; print(*sys.modules, sep='\\n')"
    folder = tmp_path_factory.mktemp("elsewhere")
    ran = subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


@pytest.mark.parametrize("heavy", ["locust", "gevent", "matplotlib", "jinja2"])
def test_command_line_works_without_the_loadtest_extra(heavy: str, loaded_by_the_command_lines: set[str]) -> None:
    """The command lines import nothing that only an extra installs, so other commands work without it."""
    assert "loadtests.cli" in loaded_by_the_command_lines
    assert heavy not in loaded_by_the_command_lines
