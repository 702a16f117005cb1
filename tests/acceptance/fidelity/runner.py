"""One case, tried on one contender."""

from tests.acceptance.fidelity.case import Case, Seen, Verdict, verdict_on
from tests.acceptance.fidelity.client import converse, next_client_is_well
from tests.acceptance.fidelity.contenders import Contender


def observe(case: Case, contender: Contender) -> Seen:
    """Send the requests and the answers of the case; return what both sides have received.

    The last request is one of another client: it shows whether that client gets a rest of this case, and it comes
    to the target after everything that the case may have caused there.
    """
    contender.target.play(case.answers)
    received = converse(contender.port, case)
    is_well = next_client_is_well(contender.port)
    requests, scraps = contender.target.received()
    return Seen(
        requests=requests,
        scraps=scraps,
        responses=received.responses,
        rest=received.rest,
        ending=received.ending,
        next_client_is_well=is_well,
        target_authority=contender.target.authority,
    )


def verdict_of(case: Case, contender: Contender) -> Verdict:
    """Try a case and judge what was seen."""
    return verdict_on(case, observe(case, contender))
