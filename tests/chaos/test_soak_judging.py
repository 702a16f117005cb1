"""The judge of a soak sees each promise that is broken, and blames nobody for what a fault explains."""

import itertools
from dataclasses import replace

from loadtests.records import Arrival
from tests.chaos.load.plan import Done, Kind, Outcome, Plan
from tests.chaos.soak.faults import KINDS, draw_faults
from tests.chaos.soak.judging import judge
from tests.chaos.soak.traffic import plan_traffic
from tests.chaos.soak.windows import Harm, Window
from tests.chaos.soak.yard import Death

_GET = Plan("a", 0.0, "GET", "high")
_POST = replace(_GET, request_id="b", method="POST")
_WINDOW = Window("a fault", 1100.0, 1102.0, 1110.0)


def _done(plan: Plan = _GET, at: float = 1000.0, outcome: Outcome = Outcome.ANSWERED, status: int | None = 200) -> Done:
    return Done(plan, at, at + 1.0, outcome, status)


def _broken(
    *done: Done, arrivals: tuple[Arrival, ...] = (), windows: tuple[Window, ...] = (), deaths: tuple[Death, ...] = ()
) -> list[str]:
    return [finding.promise for finding in judge(done, arrivals, windows, deaths) if not finding.kept]


def test_all_is_well() -> None:
    """A request that was answered breaks no promise."""
    assert _broken(_done(), arrivals=(Arrival("a", 1000.5),)) == []


def test_a_post_that_was_sent_twice_is_seen() -> None:
    """Two arrivals of one POST are one too many; of a GET, they are allowed, and three are not."""
    twice = [Arrival(name, at) for name in ("a", "b") for at in (1000.2, 1000.4)]
    assert _broken(_done(), _done(_POST), arrivals=tuple(twice)) == ["no POST reaches the target twice"]
    thrice = (*twice[:2], Arrival("a", 1000.6))
    assert _broken(_done(), arrivals=thrice) == ["no idempotent request reaches it thrice"]


def test_errors_are_excused_in_windows_only() -> None:
    """A 5xx counts if neither its sending nor its answer fell into the time of a fault that may do harm."""
    bad = "no 5xx that no fault explains"
    assert _broken(_done(status=503), windows=(_WINDOW,)) == [bad]
    assert _broken(_done(at=1099.5, status=503), windows=(_WINDOW,)) == []
    assert _broken(_done(at=1109.5, status=503), windows=(_WINDOW,)) == []
    assert _broken(_done(at=1109.5, status=503), windows=(replace(_WINDOW, harm=Harm.NOTHING),)) == [bad]


def test_a_refusal_of_what_the_target_has_is_seen() -> None:
    """A POST that is told to come again must not be at the target; an idempotent request may be."""
    refused = replace(_done(_POST, at=1105.0, status=503), retry_after="1")
    seen = "no 503 for what the target has, if not idempotent"
    assert _broken(refused, windows=(_WINDOW,)) == []
    assert _broken(refused, arrivals=(Arrival("b", 1105.5),), windows=(_WINDOW,)) == [seen]
    # Later is as bad: its client has sent it again by then.
    assert _broken(refused, arrivals=(Arrival("b", 1125.5),), windows=(_WINDOW,)) == [seen]
    idempotent = replace(refused, plan=_GET)
    assert _broken(idempotent, arrivals=(Arrival("a", 1105.5),), windows=(_WINDOW,)) == []


def test_a_lost_request_that_is_told_to_come_again_is_seen() -> None:
    """Of a request-lost nobody knows whether the target has it, so it has no Retry-After."""
    lost = replace(_done(_POST, at=1105.0, status=502), slug="request-lost")
    assert _broken(lost, windows=(_WINDOW,)) == []
    told = replace(lost, retry_after="1")
    assert _broken(told, windows=(_WINDOW,)) == ["no Retry-After with 502 request-lost"]


def test_a_transfer_may_break_off_where_a_process_died() -> None:
    """An upload that the target has, or a download, that ends early counts where no process died."""
    torn = "transfers are whole where no process died"
    refusing = replace(_WINDOW, harm=Harm.REFUSALS)
    download = _done(replace(_GET, kind=Kind.DOWNLOAD), at=1105.0, outcome=Outcome.BROKEN_OFF)
    assert _broken(download, windows=(refusing,)) == [torn]
    assert _broken(download, windows=(_WINDOW,)) == []
    upload = _done(replace(_POST, kind=Kind.UPLOAD), at=1105.0, status=502)
    assert _broken(upload, arrivals=(Arrival("b", 1105.1),), windows=(refusing,)) == [torn]
    assert _broken(upload, windows=(refusing,)) == []
    assert _broken(upload, arrivals=(Arrival("b", 1105.1),), windows=(_WINDOW,)) == []


def test_a_closed_connection_needs_the_death_of_its_own_gateway() -> None:
    """Who got no response had a gateway that was killed just then, or one that was told to end before it came."""
    closed = _done(at=1100.0, outcome=Outcome.CLOSED, status=None)
    once = "every request is answered exactly once"
    killed = Death(0, 1100.5, 1102.0, killed=True)
    assert _broken(closed, windows=(_WINDOW,)) == [once]
    assert _broken(closed, windows=(_WINDOW,), deaths=(killed,)) == []
    assert _broken(closed, windows=(_WINDOW,), deaths=(replace(killed, gateway=1),)) == [once]
    assert _broken(closed, windows=(_WINDOW,), deaths=(replace(killed, killed=False),)) == [once]


def test_an_inversion_is_seen_outside_windows_only() -> None:
    """A low request that goes ahead of a waiting high one counts, unless a fault was near."""
    low = _done(replace(_GET, request_id="c", priority="low"))
    arrivals = (Arrival("c", 1000.4), Arrival("a", 1000.9))
    assert len(_broken(low, _done(), arrivals=arrivals)) == 1
    near = replace(_WINDOW, began_at=999.0, settled_at=1000.1)
    assert _broken(low, _done(), arrivals=arrivals, windows=(near,)) == []


def test_a_seed_gives_the_same_again() -> None:
    """Two runs of one seed send the same requests and do the same faults; every kind once a round."""
    first, second = (list(itertools.islice(plan_traffic(7, 50.0, 2), 1000)) for _ in range(2))
    assert first == second
    faults, again = (list(itertools.islice(draw_faults(7), len(KINDS))) for _ in range(2))
    assert faults == again
    assert {kind.name for kind in faults} == {kind.name for kind in KINDS}


def test_without_a_clock_no_fault_sets_one() -> None:
    """Where Redis cannot have a clock of its own, all other faults are done, in the same order."""
    with_clock = [kind for kind in itertools.islice(draw_faults(7), len(KINDS)) if not kind.sets_clock]
    without = list(itertools.islice(draw_faults(7, with_clock=False), len(with_clock)))
    assert without == with_clock


def test_all_kinds_of_traffic_are_drawn() -> None:
    """Transfers, slow uploads, WebSockets and declined ones are among the first few thousand requests."""
    plans = list(itertools.islice(plan_traffic(7, 50.0, 2), 3000))
    assert {plan.kind for plan in plans} == set(Kind)
    assert any(plan.kind is Kind.UPLOAD and plan.bytes_per_second < 1000 for plan in plans)
