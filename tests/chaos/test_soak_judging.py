"""The judge of a soak detects each broken promise, and accepts what a fault explains."""

import itertools
from dataclasses import replace

from loadtests.records import Arrival
from tests.chaos.load.plan import Done, Kind, Outcome, Plan
from tests.chaos.soak.faults import KINDS, draw_faults
from tests.chaos.soak.judging import judge
from tests.chaos.soak.stack import Death
from tests.chaos.soak.traffic import plan_traffic
from tests.chaos.soak.windows import Harm, Window

_GET = Plan("a", 0.0, "GET", "high")
_POST = replace(_GET, request_id="b", method="POST")
_WINDOW = Window("a fault", 1100.0, 1102.0, 1110.0)


def _done(plan: Plan = _GET, at: float = 1000.0, outcome: Outcome = Outcome.ANSWERED, status: int | None = 200) -> Done:
    return Done(plan, at, at + 1.0, outcome, status)


def _broken(
    *done: Done, arrivals: tuple[Arrival, ...] = (), windows: tuple[Window, ...] = (), deaths: tuple[Death, ...] = ()
) -> list[str]:
    return [finding.promise for finding in judge(done, arrivals, windows, deaths) if not finding.kept]


def test_an_answered_request_breaks_no_promise() -> None:
    """A request that was answered breaks no promise."""
    assert _broken(_done(), arrivals=(Arrival("a", 1000.5),)) == []


def test_a_post_that_was_sent_twice_is_detected() -> None:
    """Two arrivals of a POST break a promise; two of a GET are allowed, three are not."""
    twice = [Arrival(name, at) for name in ("a", "b") for at in (1000.2, 1000.4)]
    assert _broken(_done(), _done(_POST), arrivals=tuple(twice)) == ["no POST reaches the target twice"]
    three_times = (*twice[:2], Arrival("a", 1000.6))
    assert _broken(_done(), arrivals=three_times) == ["no idempotent request reaches the target three times"]


def test_errors_are_excused_only_in_fault_windows() -> None:
    """A 5xx breaks a promise unless its request overlaps a fault that may cause harm."""
    bad = "no 5xx without a fault that explains it"
    assert _broken(_done(status=503), windows=(_WINDOW,)) == [bad]
    assert _broken(_done(at=1099.5, status=503), windows=(_WINDOW,)) == []
    assert _broken(_done(at=1109.5, status=503), windows=(_WINDOW,)) == []
    assert _broken(_done(at=1109.5, status=503), windows=(replace(_WINDOW, harm=Harm.NOTHING),)) == [bad]


def test_a_refused_request_that_reached_the_target_is_detected() -> None:
    """A POST refused with Retry-After must not reach the target; an idempotent request may."""
    refused = replace(_done(_POST, at=1105.0, status=503), retry_after="1")
    seen = "no POST that was refused with 503 reaches the target"
    assert _broken(refused, windows=(_WINDOW,)) == []
    assert _broken(refused, arrivals=(Arrival("b", 1105.5),), windows=(_WINDOW,)) == [seen]
    # A later arrival is as bad: its client has retried by then.
    assert _broken(refused, arrivals=(Arrival("b", 1125.5),), windows=(_WINDOW,)) == [seen]
    idempotent = replace(refused, plan=_GET)
    assert _broken(idempotent, arrivals=(Arrival("a", 1105.5),), windows=(_WINDOW,)) == []


def test_retry_after_with_request_lost_is_detected() -> None:
    """The target may have a request that was lost, so request-lost carries no Retry-After."""
    lost = replace(_done(_POST, at=1105.0, status=502), slug="request-lost")
    assert _broken(lost, windows=(_WINDOW,)) == []
    with_retry_after = replace(lost, retry_after="1")
    assert _broken(with_retry_after, windows=(_WINDOW,)) == ["no 502 request-lost has a Retry-After"]


def test_a_transfer_may_break_off_only_where_a_fault_may_break_it() -> None:
    """An incomplete download, or upload at the target, breaks a promise unless a fault may break transfers off."""
    incomplete = "every transfer is complete unless a fault may break it off"
    refusing = replace(_WINDOW, harm=Harm.REFUSALS)
    download = _done(replace(_GET, kind=Kind.DOWNLOAD), at=1105.0, outcome=Outcome.BROKEN_OFF)
    assert _broken(download, windows=(refusing,)) == [incomplete]
    assert _broken(download, windows=(_WINDOW,)) == []
    upload = _done(replace(_POST, kind=Kind.UPLOAD), at=1105.0, status=502)
    assert _broken(upload, arrivals=(Arrival("b", 1105.1),), windows=(refusing,)) == [incomplete]
    assert _broken(upload, windows=(refusing,)) == []
    assert _broken(upload, arrivals=(Arrival("b", 1105.1),), windows=(_WINDOW,)) == []


def test_a_closed_connection_needs_the_death_of_its_own_gateway() -> None:
    """A connection without a response needs a gateway killed at that time, or stopped before the request came."""
    closed = _done(at=1100.0, outcome=Outcome.CLOSED, status=None)
    once = "every request is answered exactly once"
    killed = Death(0, 1100.5, 1102.0, killed=True)
    assert _broken(closed, windows=(_WINDOW,)) == [once]
    assert _broken(closed, windows=(_WINDOW,), deaths=(killed,)) == []
    assert _broken(closed, windows=(_WINDOW,), deaths=(replace(killed, gateway=1),)) == [once]
    assert _broken(closed, windows=(_WINDOW,), deaths=(replace(killed, killed=False),)) == [once]


def test_an_inversion_counts_only_outside_fault_windows() -> None:
    """A low request that overtakes a waiting high one breaks a promise, unless a fault was near."""
    low = _done(replace(_GET, request_id="c", priority="low"))
    arrivals = (Arrival("c", 1000.4), Arrival("a", 1000.9))
    assert len(_broken(low, _done(), arrivals=arrivals)) == 1
    near = replace(_WINDOW, began_at=999.0, settled_at=1000.1)
    assert _broken(low, _done(), arrivals=arrivals, windows=(near,)) == []


def test_a_seed_repeats_a_run() -> None:
    """Two runs with one seed send the same requests and inject the same faults, every kind once a round."""
    first, second = (list(itertools.islice(plan_traffic(7, 50.0, 2), 1000)) for _ in range(2))
    assert first == second
    faults, again = (list(itertools.islice(draw_faults(7), len(KINDS))) for _ in range(2))
    assert faults == again
    assert {kind.name for kind in faults} == {kind.name for kind in KINDS}


def test_without_a_clock_no_fault_sets_it() -> None:
    """Without a clock for Redis, all other faults are injected, in the same order."""
    with_clock = [kind for kind in itertools.islice(draw_faults(7), len(KINDS)) if not kind.sets_clock]
    without = list(itertools.islice(draw_faults(7, with_clock=False), len(with_clock)))
    assert without == with_clock


def test_all_kinds_of_traffic_are_drawn() -> None:
    """Transfers, slow uploads, WebSockets and declined ones occur in the first few thousand requests."""
    plans = list(itertools.islice(plan_traffic(7, 50.0, 2), 3000))
    assert {plan.kind for plan in plans} == set(Kind)
    assert any(plan.kind is Kind.UPLOAD and plan.bytes_per_second < 1000 for plan in plans)
