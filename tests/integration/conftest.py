"""What tests of the gateway as somebody's application share."""

from collections.abc import Iterator

import pytest

from tests.integration.embedding_rig import Behind, everything_behind


@pytest.fixture(scope="session")
def lasting_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """A mock target, a worker with four slots and their Redis, which last for the whole run."""
    with everything_behind(tmp_path_factory.mktemp("behind")) as behind:
        yield behind


@pytest.fixture
def behind(lasting_behind: Behind) -> Behind:
    """The same, with nothing in the target's log."""
    lasting_behind.saw()
    return lasting_behind
