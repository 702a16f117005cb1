"""The fuzzer itself: its corpus passes, its judge finds what is wrong, and its cases are repeatable."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from random import Random

import pytest

from fast_priority.scheduling.priority import Priority
from tests.acceptance.fidelity.contenders import NotInstalled
from tests.fuzz.corpus import read_corpus, to_line
from tests.fuzz.judging import CaseResult, Decision, Shape, find_problems
from tests.fuzz.mutation import make_case
from tests.fuzz.reading import ReadRequest, read_by_h11, read_by_httptools
from tests.fuzz.run import Systems, fuzz
from tests.path_servers import Label

GET = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
BELOW = b"GET /inside/x HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
HIGH, LOW = Decision(b"/x", "GET", Priority.HIGH), Decision(b"/x", "GET", Priority.LOW)
DIRECT = Decision(b"/x", "GET", None)
READ = ReadRequest(b"GET", b"/x", b"")


def test_the_corpus_passes(tmp_path: Path) -> None:
    """No case of the corpus gets a higher priority, skips the queue, or is read in two ways; most arrive."""
    seeds = read_corpus()
    with ExitStack() as parts:
        try:
            systems = Systems.start(parts, tmp_path)
        except NotInstalled as why:
            pytest.skip(str(why))
        record = fuzz(systems, seeds, seed=1, seconds=0, print_line=lambda line: None)
    assert [(to_line(finding.sent), finding.shape, finding.problems) for finding in record.found] == []
    assert record.cases == len(seeds) * len(Shape)
    assert record.arrived > record.cases / 2
    assert {"high", "low", "direct"} <= set(record.by_level)


def result(
    *decisions: Decision,
    sent: bytes = GET,
    arrived: tuple[bytes, ...] = (GET,),
    others: Mapping[str, list[ReadRequest]] | None = None,
    label: Label = "other",
    is_silent: bool = False,
    shape: Shape = Shape.UNLISTED,
    label_below: Label = "inside",
) -> CaseResult:
    labels, below = {b"/x": {"nginx": label}}, {b"/inside/x": {"nginx": label_below}}
    return CaseResult(sent, decisions, arrived, is_silent, others or {}, labels, shape, below)


@pytest.mark.parametrize(
    "right",
    [
        result(HIGH),
        result(LOW, label="low"),
        result(DIRECT, label="direct"),
        result(DIRECT, label="nothing"),
        result(HIGH, arrived=()),
        result(HIGH, HIGH, sent=GET + GET, arrived=(GET, GET), others={"a": [READ], "b": [], "c": [READ, READ, READ]}),
        result(HIGH, sent=GET.replace(b"/x", b"http://y:1/x")),
        result(HIGH, label="low", shape=Shape.LISTED),
        result(LOW, label="other", shape=Shape.LISTED),
        result(HIGH, arrived=(BELOW,), shape=Shape.BELOW, others={"nginx": [READ]}),
        result(HIGH, sent=POST + GET, others={"answers the second itself": [ReadRequest(b"POST", b"/x", b"a")]}),
    ],
)
def test_a_right_result_has_no_problem(right: CaseResult) -> None:
    """A request with a decision that arrived as it was sent, and is read alike by all, is right; so is a refusal."""
    assert find_problems(right) == []


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (result(HIGH, label="low"), "serves it as low"),
        (result(HIGH, label="other", shape=Shape.LISTED), "serves it as other"),
        (result(DIRECT, label="low", shape=Shape.LISTED), "serves it as low"),
        (result(HIGH, shape=Shape.BELOW), "not below the base path"),
        (result(HIGH, arrived=(BELOW.replace(b"/x", b"x"),), shape=Shape.BELOW), "not below the base path"),
        (result(HIGH, arrived=(BELOW,), shape=Shape.BELOW, label_below="other"), "serves it as other"),
        (result(DIRECT, label="low"), "serves it as low"),
        (result(DIRECT, label="other"), "serves it as other"),
        (result(), "no decision"),
        (result(HIGH, arrived=(GET, GET)), "no decision"),
        (result(Decision(b"/y", "GET", Priority.HIGH)), "no decision"),
        (result(Decision(b"/x", "HEAD", Priority.HIGH)), "no decision"),
        (result(HIGH, HIGH, sent=GET + GET, arrived=(GET + GET,)), "not read exactly one request"),
        (result(HIGH, arrived=(GET.replace(b"\r\n", b"\n"),)), "not read exactly one request"),
        (result(HIGH, arrived=(GET[:-2],)), "not read exactly one request"),
        (result(HIGH, arrived=(GET + b"G",)), "not read exactly one request"),
        (result(HIGH, sent=GET.replace(b"HTTP/1.1", b"RTSP/1.0")), "no HTTP/1 request line"),
        (result(HIGH, sent=GET.replace(b"/x", b"/X")), "no HTTP/1 request line"),
        (result(HIGH, others={"nginx": [READ._replace(body=b"a")]}), "nginx read"),
        (result(HIGH, others={"nginx": [READ._replace(target=b"/y"), READ._replace(method=b"PUT")]}), "nginx read"),
        (result(arrived=(), is_silent=True), "neither answered nor closed"),
    ],
)
def test_a_wrong_result_is_found(wrong: CaseResult, expected: str) -> None:
    """A higher priority, a skipped queue, a request without a decision, and a second reading are found."""
    assert any(expected in finding for finding in find_problems(wrong))


def test_the_same_seed_makes_the_same_cases() -> None:
    """The same seed repeats a run, and another seed gives another run."""
    runs = []
    for seed in (1, 1, 2):
        random = Random(seed)
        runs.append([make_case(random, read_corpus()) for _ in range(200)])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("read", [read_by_h11, read_by_httptools])
def test_requests_are_read(read: object) -> None:
    """Both readers find complete requests, the start of one, and bytes that are not a request."""
    assert callable(read)
    reading = read(GET + POST + b"GET /y HT")
    assert reading.requests == [READ, ReadRequest(b"POST", b"/x", b"a")]
    assert read(GET + b"\x00\r\n\r\n").is_refused
