"""How many files a process may open."""

import resource

import pytest

from fast_priority.support.file_limit import raise_file_limit


def test_the_soft_limit_is_raised_to_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may open as many files as the system allows."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[0])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.insert(0, pair))
    assert raise_file_limit() == 4096
    assert limits[0] == (4096, 4096)


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses the limit that it reports, the limit stays as it was."""

    def refuse(_: int, pair: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit() == 1024
