"""How many connections fit into the files that a process may have open."""

import logging
import resource

import pytest

from fast_priority.support.file_limit import KEPT_FILES, connections_that_fit, raise_file_limit


@pytest.mark.parametrize("files", [1000 + KEPT_FILES, 10**6, resource.RLIM_INFINITY])
def test_what_fits_is_taken(files: int, caplog: pytest.LogCaptureFixture) -> None:
    """With files enough, as many connections are taken as are wanted, without a word."""
    assert connections_that_fit(1000, files) == 1000
    assert caplog.records == []


@pytest.mark.parametrize(("files", "fits"), [(1024, 512), (600, 300)])
def test_what_does_not_fit_is_said_in_one_line(files: int, fits: int, caplog: pytest.LogCaptureFixture) -> None:
    """With too few files, fewer connections are taken, and one line says so, and how to mend it."""
    with caplog.at_level(logging.WARNING):
        assert connections_that_fit(1000, files) == fits
    (record,) = caplog.records
    assert f"FAST_PRIORITY_MAX_CONNECTIONS=1000 needs {1000 + KEPT_FILES} open files" in record.getMessage()
    assert f"may have {files}" in record.getMessage()


def test_no_limit_stays_none(caplog: pytest.LogCaptureFixture) -> None:
    """0 is no limit, whatever fits."""
    assert connections_that_fit(0, 100) == 0
    assert caplog.records == []


def test_the_soft_limit_is_raised_to_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may open as many files as the system allows it."""
    limits = [(1024, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[0])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.insert(0, pair))
    assert raise_file_limit() == 4096
    assert limits[0] == (4096, 4096)


def test_a_limit_that_cannot_be_raised_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system does not allow what it says, the limit is what it was."""

    def refuse(_: int, pair: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit() == 1024
