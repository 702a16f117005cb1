"""A client sees no difference between this gateway and the target, queued and on pass-through: case by case."""

from collections.abc import Iterator

import pytest

from tests.acceptance.fidelity.case import Case, verdict_on
from tests.acceptance.fidelity.cases import CASES, GROUPS
from tests.acceptance.fidelity.contenders import OURS, Contender, running_contender
from tests.acceptance.fidelity.page import key_of
from tests.acceptance.fidelity.runner import observe

ROWS = [pytest.param(case, id=key_of(group, case.name)) for group in GROUPS for case in group.cases]


@pytest.fixture(scope="module", params=OURS)
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Contender]:
    """This gateway, queued or on pass-through."""
    with running_contender(OURS[request.param], tmp_path_factory.mktemp("fidelity"), CASES) as contender:
        yield contender


@pytest.mark.parametrize("case", ROWS)
def test_it_is_as_it_should_be(ours: Contender, case: Case) -> None:
    """The verdict on each case is right, no case hangs, and the next client gets its own answer."""
    seen = observe(case, ours)
    verdict = verdict_on(case, seen)
    assert verdict.fine, f"{verdict.words}: {seen!r:.4000}"
