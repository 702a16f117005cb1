"""The machine, the programs that benchmarks need, and this process's environment."""

import os
import platform
import resource
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from fast_priority.errors import ConfigurationError
from fast_priority.local.redis_server import find_redis_server
from fast_priority.settings import PREFIX

_PACKAGES = ("fast-priority", "rq", "redis", "uvicorn", "uvloop", "aiohttp")
_INSTALL = "apt install wrk haproxy nginx libnginx-mod-http-echo"
_MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")


def machine_line() -> str:
    """Return system, cores, load average and versions. Call it before the load, which changes the load average."""
    redis_version = _word_after("v=", [find_redis_server(), "--version"])
    packages = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"load average {os.getloadavg()[0]:.1f} before; "
        f"Python {platform.python_version()}, Redis server {redis_version}; {packages}."
    )


def programs_line() -> str:
    """Return the versions of nginx, HAProxy and wrk."""
    nginx = _word_after("nginx/", ["nginx", "-v"])
    wrk = _first_word_with_digit(["wrk", "-v"])
    haproxy = _first_word_with_digit(["haproxy", "-v"]) if has_haproxy() else "none"
    return f"nginx {nginx}, HAProxy {haproxy}, wrk {wrk}."


def require_programs() -> None:
    """Raise ConfigurationError, with what to install, if wrk or nginx or nginx's echo module is missing."""
    missing = [program for program in ("wrk", "nginx") if shutil.which(program) is None]
    if not missing and not echo_module().is_file():
        missing = ["nginx's echo module"]
    if missing:
        raise ConfigurationError(f"{' and '.join(missing)} not found: {_INSTALL}")


def has_haproxy() -> bool:
    """Return whether HAProxy is installed; without it, nothing is compared with it."""
    return shutil.which("haproxy") is not None


def echo_module() -> Path:
    """Return the path of nginx's echo module, or where it would be."""
    places = [Path(folder) / "ngx_http_echo_module.so" for folder in _MODULE_FOLDERS]
    return next((place for place in places if place.is_file()), places[0])


def prepare_process() -> None:
    """Remove the gateway's settings of the caller's shell from the environment, and raise the limit of open files."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))


def _word_after(prefix: str, command: list[str]) -> str:
    words = (word for word in _output(command).split() if word.startswith(prefix))
    return next((word.removeprefix(prefix) for word in words), "of unknown version")


def _first_word_with_digit(command: list[str]) -> str:
    return next((word for word in _output(command).split() if any(map(str.isdigit, word))), "of unknown version")


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # wrk -v exits with 1
    return done.stdout + done.stderr
