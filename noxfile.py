"""The tests at other versions than those of `make test`: each supported Python, and the oldest packages.

`make matrix` and `make test-lowest` run these; `nox -s tests-3.13 -- -k word` runs a part.
"""

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
# Here, a Python that is not installed and that uv cannot bring is left out, and named; CI has each of them.
nox.options.error_on_missing_interpreters = "CI" in os.environ

LITELLM = "litellm==1.110.2"
# The unit tests, and for each room a file of what it does with real sockets and a real Redis.
ROOMS = (
    "tests/unit",
    "tests/integration/broker/test_mailbox.py",
    "tests/integration/broker/test_connecting.py",
    "tests/integration/server/test_http_protocol.py",
    "tests/integration/target/test_target.py",
    "tests/integration/gateway/test_websockets.py",
    "tests/integration/slots/test_worker_loop.py",
    "tests/integration/worker/test_ending_workers.py",
    "tests/integration/gateway/test_embedded_routes.py",
    "tests/integration/local/test_embedded_redis.py",
    "tests/integration/mock_target/test_server.py",
)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def tests(session: nox.Session) -> None:
    """Run them at the locked versions with one Python."""
    session.install("--require-hashes", "--requirement", "requirements/dev.txt")
    session.install("--no-deps", "--editable", ".")
    _run_tests(session)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run them at the oldest versions that pyproject.toml allows."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    printed = session.run("python", "tools/lowest_versions.py", silent=True)
    constraints.write_text(str(printed))
    session.install("--constraint", str(constraints), "--editable", ".[dev]")
    _run_tests(session)


@nox.session
def litellm(session: nox.Session) -> None:
    """Try litellm as a client of the gateway: it has this environment for itself, and the tests have theirs."""
    session.install(LITELLM)
    environment = {"LITELLM_PYTHON": str(Path(session.bin) / "python")}
    session.run(
        sys.executable, "-m", "pytest", "tests/acceptance/test_litellm.py", *session.posargs,
        env=environment, external=True,
    )  # fmt: skip


def _run_tests(session: nox.Session) -> None:
    session.run("python", "-m", "pytest", *ROOMS, "--numprocesses", "auto", *session.posargs)
