"""How many connections fit into the files that a process may open."""

import logging
import resource

import pytest

from fast_priority.server.admission import KEPT_FILES, connections_that_fit


@pytest.mark.parametrize("files", [1000 + KEPT_FILES, 10**6, resource.RLIM_INFINITY])
def test_a_limit_that_fits(files: int, caplog: pytest.LogCaptureFixture) -> None:
    """With files enough, as many connections are taken as are wanted, without a log line."""
    assert connections_that_fit(1000, files) == 1000
    assert caplog.records == []


@pytest.mark.parametrize(("files", "fits"), [(1024, 512), (600, 300)])
def test_a_limit_that_does_not_fit_is_logged(files: int, fits: int, caplog: pytest.LogCaptureFixture) -> None:
    """With too few files, fewer connections are taken, and one log line names the limit and the remedy."""
    with caplog.at_level(logging.WARNING):
        assert connections_that_fit(1000, files) == fits
    (record,) = caplog.records
    assert f"FAST_PRIORITY_MAX_CONNECTIONS=1000 needs {1000 + KEPT_FILES} open files" in record.getMessage()
    assert f"may have {files}" in record.getMessage()


def test_no_limit(caplog: pytest.LogCaptureFixture) -> None:
    """0 is no limit, whatever fits."""
    assert connections_that_fit(0, 100) == 0
    assert caplog.records == []
