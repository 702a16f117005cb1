"""The machine and the versions that a check ran on."""

import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("fast-priority", "locust", "rq", "redis", "uvicorn", "aiohttp")


def describe_machine() -> dict[str, str]:
    """Return the machine and the versions as short texts by name."""
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load average": f"{os.getloadavg()[0]:.1f} before",
        "Python": platform.python_version(),
        "packages": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
        "command": shlex.join(["fast-priority", "loadtest", *_arguments()]),
    }


def _arguments() -> list[str]:
    """Return the arguments of this program, without the name of the command."""
    return sys.argv[2:] if sys.argv[1:2] == ["loadtest"] else sys.argv[1:]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
