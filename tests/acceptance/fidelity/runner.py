"""One case, tried on one contender."""

from tests.acceptance.fidelity.case import Case, Seen, Verdict, verdict_on
from tests.acceptance.fidelity.client import converse, next_client_is_well
from tests.acceptance.fidelity.contenders import Contender


def observe(case: Case, contender: Contender) -> Seen:
    """Send what the case sends and answer what it answers; give what both sides have seen.

    A request of another client goes last: it tells whether it gets what is left of this case, and it comes to the
    target after all that the case may have caused there.
    """
    contender.target.play(case.answers)
    heard = converse(contender.port, case)
    is_well = next_client_is_well(contender.port)
    requests, scraps = contender.target.received()
    return Seen(
        requests=requests,
        scraps=scraps,
        responses=heard.responses,
        rest=heard.rest,
        ending=heard.ending,
        next_client_is_well=is_well,
        target_authority=contender.target.authority,
    )


def verdict_of(case: Case, contender: Contender) -> Verdict:
    """Try a case and judge what was seen."""
    return verdict_on(case, observe(case, contender))
