"""The suite itself: it tries other proxies, too, finds wrong results, never hangs, and lists every case."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.fidelity import client
from tests.acceptance.fidelity.__main__ import PAGE
from tests.acceptance.fidelity.case import FINE, Answer, Case, Verdict
from tests.acceptance.fidelity.cases import CASES, GROUPS
from tests.acceptance.fidelity.contenders import OTHERS, Contender, NotInstalled, paths_of, running_contender
from tests.acceptance.fidelity.judges import answered, bad_gateway, everything, refused, requests
from tests.acceptance.fidelity.page import row_start
from tests.acceptance.fidelity.runner import observe, verdict_of
from tests.acceptance.fidelity.target import ScriptedTarget
from tests.acceptance.fidelity.wire import OK, bare_answer, request

NAMES = [name for group in GROUPS for name in (case.name for case in group.cases)]


@pytest.fixture
def nobody() -> Iterator[Contender]:
    """No program in between: the client is connected to the target itself, so everything passes."""
    with ScriptedTarget() as target:
        yield Contender(target.port, target)


def case_of(sent: bytes, answer: Answer = OK) -> Case:
    return Case("a case", (sent,), (answer,), everything(requests(1), answered(200)))


@pytest.mark.parametrize("name", OTHERS)
def test_other_proxies_are_tried(name: str, tmp_path: Path) -> None:
    """Each other proxy starts, forwards a plain request, and ends."""
    case = case_of(request())
    try:
        with running_contender(OTHERS[name], tmp_path, [case]) as contender:
            assert verdict_of(case, contender) == FINE
    except NotInstalled as why:
        pytest.skip(str(why))


def test_what_is_forwarded_unchanged_is_found_out(nobody: Contender) -> None:
    """Without a program in between, plain paths arrive, and the hop-by-hop fields are found at the target."""
    expected = {
        "path: an encoded slash": FINE,
        "request: `Keep-Alive`": Verdict(False, "Keep-Alive: timeout=9, max=99"),
        "request: fields named in one Connection field": Verdict(False, "X-Private: 1"),
    }
    assert {case.name: verdict_of(case, nobody) for case in CASES if case.name in expected} == expected


def test_a_request_that_is_not_refused_is_found_out(nobody: Contender) -> None:
    """The verdict on a case that should be refused names what reached the target instead."""
    case = Case("a case", (request(),), (OK,), refused())
    assert verdict_of(case, nobody) == Verdict(False, "forwarded, as GET /x HTTP/1.1")


def test_what_is_no_request_is_found_at_the_target(nobody: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes at the target that are no complete request are seen, and do not count for the next case."""
    monkeypatch.setattr(client, "LIMIT_SECONDS", 0.2)
    half = request(b"Content-Length: 9999", body=b"half a body")
    assert half in observe(case_of(half), nobody).scraps
    assert observe(case_of(request()), nobody).scraps == b""


def test_a_smuggled_request_is_found_out(nobody: Contender) -> None:
    """A second request inside the bytes of one is seen at the target."""
    assert verdict_of(case_of(request() + request(to=b"/smuggled")), nobody).words == "2 requests at the target"


def test_a_second_response_is_found_out(nobody: Contender) -> None:
    """Two responses to one request are wrong, and so is a 200 where a 502 is expected."""
    twice = Answer(OK.data * 2)
    assert verdict_of(case_of(request(), twice), nobody) == Verdict(False, "more than one answer")
    assert verdict_of(Case("a case", (request(),), (OK,), bad_gateway()), nobody) == Verdict(False, "answered 200")


def test_a_case_that_hangs_says_so(nobody: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing more comes, the case ends by itself, and the verdict is that it timed out."""
    monkeypatch.setattr(client, "LIMIT_SECONDS", 0.2)
    silent = bare_answer(b"Content-Length: 10", body=b"short")
    assert verdict_of(case_of(request(), silent), nobody) == Verdict(False, "timed out, after a 200")


def test_every_path_that_is_sent_is_passed_through() -> None:
    """The settings of the gateway with pass-through name the paths of all requests, also of smuggled ones."""
    sent = request(to=b"/a?b") + request(to=b"http://evil/c?d", body=b"abc") + request(to=b"/e")
    assert {"/a", "/c", "/e"} <= set(paths_of([case_of(sent)]))


@pytest.mark.parametrize("name", NAMES)
def test_the_page_lists_every_case(name: str) -> None:
    """Each case has its row in docs/evidence/fidelity.md; `make fidelity` writes it."""
    assert any(line.startswith(row_start(name)) for line in PAGE.read_text().splitlines())


def test_no_two_cases_of_a_group_have_one_name() -> None:
    """Each case has its own name in its group: a verdict is stored by both names."""
    assert all(len({case.name for case in group.cases}) == len(group.cases) for group in GROUPS)
    assert len(CASES) == len(NAMES)
