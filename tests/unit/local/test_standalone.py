"""The line with which `standalone` starts."""

from importlib.metadata import version

from fast_priority.local.shape import shape_of
from fast_priority.local.standalone import _start_line
from fast_priority.settings import Settings

BEGIN = f"Fast Priority {version('fast-priority')}: gateway, 4 worker processes with 1 slot each, and"


def start_line(settings: Settings, *, embed_redis: bool) -> str:
    return _start_line(settings, shape_of(settings, 1), embed_redis=embed_redis)


def test_with_a_redis_of_its_own() -> None:
    """The line has the version, what runs, and why."""
    line = start_line(Settings.load(workers="4"), embed_redis=True)
    assert line == f"{BEGIN} a Redis of its own: the command is `fast-priority standalone`"


def test_with_another_redis() -> None:
    """The line has where another Redis is, without its password."""
    settings = Settings.load(workers="4", redis_url="redis://user:hush@redis.example:6380/0")
    line = start_line(settings, embed_redis=False)
    assert line == f"{BEGIN} the Redis at redis.example:6380: the command is `fast-priority standalone`"
