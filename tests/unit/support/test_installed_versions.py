"""A start with a package of a version that is not declared is refused."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError

import pytest

from fast_priority.errors import ConfigurationError
from fast_priority.support import install_command, installed_versions
from fast_priority.support.installed_versions import check_installed_versions


@pytest.fixture(autouse=True)
def not_checked_yet() -> Iterator[None]:
    """What another test has found is forgotten."""
    check_installed_versions.cache_clear()
    yield
    check_installed_versions.cache_clear()


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requirements that the check reads; empty at first."""
    declared: list[str] = []
    monkeypatch.setattr(installed_versions, "requires", lambda name: declared)
    return declared


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The versions that the check finds; none at first."""
    installed: dict[str, str] = {}

    def version(name: str) -> str:
        try:
            return installed[name]
        except KeyError:
            raise PackageNotFoundError(name) from None

    monkeypatch.setattr(installed_versions, "version", version)
    return installed


@pytest.fixture
def pip_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether this environment has pip or not, the check finds it."""
    monkeypatch.setattr(install_command, "find_spec", lambda name: object())


def test_what_is_installed_here_is_accepted() -> None:
    """The packages that these tests run with are within the bounds."""
    check_installed_versions()


@pytest.mark.parametrize("found", ["8.1", "8.1.0.post1", "8.9", "8.2rc1"])
def test_a_version_within_the_bounds_is_accepted(declared: list[str], installed: dict[str, str], found: str) -> None:
    """Both ends of the bounds are taken as an installer takes them; a release candidate between them counts."""
    declared.append("redis>=8.1,<9")
    installed["redis"] = found
    check_installed_versions()


@pytest.mark.usefixtures("pip_is_there")
@pytest.mark.parametrize("found", ["6.4.0", "8.0.9", "9", "9.1"])
def test_a_version_outside_of_the_bounds_is_refused(declared: list[str], installed: dict[str, str], found: str) -> None:
    """The error names the package, the version found, the bounds, and the command that installs another."""
    declared.append("redis>=8.1,<9")
    installed["redis"] = found
    with pytest.raises(ConfigurationError) as refused:
        check_installed_versions()
    assert str(refused.value).splitlines() == [
        f"redis {found} is installed, but fast-priority works with redis>=8.1,<9 only",
        f"to install what it works with: {sys.executable} -m pip install 'redis>=8.1,<9'",
    ]


def test_without_pip_the_command_is_uvs(
    declared: list[str], installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment that has no pip, the command is one that works there."""
    declared.append("rq>=3,<4")
    installed["rq"] = "2.0"
    monkeypatch.setattr(install_command, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=f"uv pip install --python {sys.executable} 'rq>=3,<4'"):
        check_installed_versions()


@pytest.mark.usefixtures("pip_is_there")
def test_all_that_is_wrong_is_told_at_once(declared: list[str], installed: dict[str, str]) -> None:
    """Each package that is refused has a line, and one command installs them all."""
    declared += ["rq>=3,<4", "rich>=14.2", "redis>=8.1,<9"]
    installed |= {"rq": "2.0", "rich": "15.0", "redis": "7.0"}
    with pytest.raises(ConfigurationError) as refused:
        check_installed_versions()
    first, second, command = str(refused.value).splitlines()
    assert first.startswith("rq 2.0 ")
    assert second.startswith("redis 7.0 ")
    assert command.endswith("install 'rq>=3,<4' 'redis>=8.1,<9'")


@pytest.mark.parametrize("marker", ['extra == "loadtest"', 'sys_platform == "nowhere"'])
def test_what_is_not_needed_here_is_not_looked_at(declared: list[str], installed: dict[str, str], marker: str) -> None:
    """The package of an extra, or of another system, may be of any version."""
    declared.append(f"locust>=2.32; {marker}")
    installed["locust"] = "1.0"
    check_installed_versions()


@pytest.mark.parametrize("requirement", ["absent>=1", "odd>=1", "no requirement >"])
def test_what_cannot_be_judged_is_accepted(declared: list[str], installed: dict[str, str], requirement: str) -> None:
    """Without metadata of a package, or with a malformed one, its import decides whether it works."""
    declared.append(requirement)
    installed["odd"] = "what a vendor calls it"
    check_installed_versions()


def test_a_source_tree_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fast-priority is not installed, its bounds are not known, and nothing is refused."""

    def requires(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installed_versions, "requires", requires)
    check_installed_versions()


@pytest.mark.parametrize("command", [["config"], ["gateway"], ["mock-target", "--help"]])
def test_each_command_refuses(command: list[str]) -> None:
    """Each command of the command line ends with status 2 and these lines, before it does anything."""
    code = (
        "import sys; from fast_priority.support import installed_versions\n"
        "installed_versions.requires = lambda name: ['redis>=99']\n"
        "from fast_priority.cli import main; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "error: redis" in ended.stderr
    assert "fast-priority works with redis>=99 only" in ended.stderr
    assert ended.stdout == ""


BROKEN = (
    "import sys; sys.modules['redis'] = None  # as if its import failed, as that of a wrong version may\n"
    "from fast_priority.support import installed_versions\n"
    "installed_versions.requires = lambda name: ['redis>=99']\n"
)


def test_the_module_level_app_refuses() -> None:
    """`fastapi run`, which asks the module for `app`, ends with the same line, even if the package cannot be imported.

    There is no traceback.
    """
    code = f"{BROKEN}import fast_priority.app; fast_priority.app.app"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "error: redis" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("use", ["import fast_priority.worker", "import fast_priority; fast_priority.create_app(None)"])
def test_a_program_that_uses_it_gets_the_error(use: str) -> None:
    """`rq worker -w fast_priority.worker.PriorityWorker` and `create_app` raise it before anything else can fail."""
    ended = subprocess.run([sys.executable, "-c", f"{BROKEN}{use}"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-2].startswith("fast_priority.errors.ConfigurationError: redis")
