"""A mock target for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fast_priority.local.child_processes import mock_target_process, wait_until_answers
from fast_priority.local.free_ports import free_port
from tests.forked_processes import forked


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base URL of a mock target."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    output: Path = tmp_path_factory.mktemp("target") / "output"
    with output.open("wb") as file, forked(mock_target_process(port, "0"), file) as process:
        wait_until_answers(process, "mock target", f"{url}/health")
        yield url
