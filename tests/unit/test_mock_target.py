"""The mock target in process: its latency grammar, its arrival log, and its answers over ASGI."""

import asyncio
import base64
import gzip
import hashlib
from collections.abc import AsyncIterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mock_target import MockSettings, create_app, endpoint
from mock_target.arrivals import ArrivalLog
from mock_target.cli import app as command_line
from mock_target.echo import MAX_ECHOED_BODY_BYTES, ReceivedBody
from mock_target.latency import MAX_LATENCY_SECONDS, Fixed, Latency, LatencyError, Lognormal, Uniform, parse_latency

# Stops a test whose request hangs; no test waits for it.
PATIENCE_SECONDS = 30

seconds = st.floats(min_value=0, max_value=MAX_LATENCY_SECONDS)
latencies = st.one_of(
    st.builds(Fixed, seconds),
    st.lists(seconds, min_size=2, max_size=2).map(lambda bounds: Uniform(min(bounds), max(bounds))),
    st.builds(Lognormal, st.floats(min_value=0, max_value=MAX_LATENCY_SECONDS, exclude_min=True), st.floats(0, 10)),
)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mock", timeout=PATIENCE_SECONDS)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a mock that answers at once."""
    async with client_of(create_app(MockSettings(latency="0"))) as client:
        yield client


@dataclass
class DirectRequest:
    """One request made straight over ASGI, whose client can hold back its body and can leave."""

    path: str
    method: str = "GET"
    incoming: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    sent: list[MutableMapping[str, Any]] = field(default_factory=list)

    async def run(self, app: FastAPI, fields: list[tuple[bytes, bytes]] | None = None) -> None:
        async def send(message: MutableMapping[str, Any]) -> None:
            self.sent.append(message)

        scope = {"type": "http", "method": self.method, "path": self.path, "raw_path": self.path.encode()}
        await app(scope | {"query_string": b"", "headers": fields or []}, self.incoming.get, send)

    def finish_body(self) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})


async def let_tasks_run() -> None:
    """Let every task that is ready reach its next wait."""
    for _ in range(10):
        await asyncio.sleep(0)


# --- the latency grammar


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.05", Fixed(0.05)),
        ("0", Fixed(0)),
        ("fixed:3600", Fixed(3600)),
        ("uniform:0.01,0.2", Uniform(0.01, 0.2)),
        (" uniform: 0.01 , 0.2 ", Uniform(0.01, 0.2)),
        ("lognormal:0.05,0.5", Lognormal(0.05, 0.5)),
    ],
)
def test_the_grammar_reads_each_kind_of_latency(text: str, expected: Latency) -> None:
    """A bare number is fixed; a kind and a colon name the others; spaces around numbers do not count."""
    assert parse_latency(text) == expected


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("", "write seconds like 0.05"),
        ("soon", "'soon' is not a plain decimal number; write seconds like 0.05"),
        ("-1", "'-1' is not a plain decimal number"),
        ("nan", "'nan' is not a plain decimal number"),
        ("1_0", "'1_0' is not a plain decimal number"),
        ("1e999", "must be from 0 to 3600 seconds"),
        ("3600.1", "must be from 0 to 3600 seconds"),
        ("normal:1,2", "there is no kind 'normal'; write seconds like 0.05"),
        ("fixed:1,2", "fixed takes one number, the seconds; write fixed:0.05"),
        ("uniform:1", "uniform takes two numbers, low and high seconds; write uniform:0.01,0.2"),
        ("uniform:2,1", "low must not be above high; write uniform:0.01,0.2"),
        ("lognormal:0,1", "the median must be above 0 seconds; write lognormal:0.05,0.5"),
        ("lognormal:1,11", "sigma must be from 0 to 10; write lognormal:0.05,0.5"),
    ],
)
def test_a_latency_error_says_what_was_given_and_what_would_be_right(text: str, mend: str) -> None:
    """The message quotes the text, names what is wrong, and shows a right one."""
    with pytest.raises(LatencyError) as caught:
        parse_latency(text)
    assert str(caught.value).startswith(f"{text!r} is not a latency: ")
    assert mend in caught.value.mend


@given(latencies)
def test_a_latency_writes_itself_in_the_grammar(latency: Latency) -> None:
    """Reading what str() writes gives an equal latency."""
    assert parse_latency(str(latency)) == latency


@given(st.text())
def test_any_text_is_a_latency_or_a_latency_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(LatencyError):
        assert isinstance(parse_latency(text), Latency)


@given(latencies, st.integers())
def test_no_draw_is_below_zero_or_above_an_hour(latency: Latency, seed: int) -> None:
    """Whatever the kind and the seed, a draw is from 0 to 3600 seconds."""
    assert 0 <= latency.draw(Random(seed)) <= MAX_LATENCY_SECONDS


@given(st.lists(seconds, min_size=2, max_size=2), st.integers())
def test_a_uniform_draw_stays_between_its_bounds(bounds: list[float], seed: int) -> None:
    """A uniform draw is never below low nor above high."""
    assert min(bounds) <= Uniform(min(bounds), max(bounds)).draw(Random(seed)) <= max(bounds)


def test_half_of_the_lognormal_draws_are_below_the_median() -> None:
    """The first number of lognormal is the median, and the draws spread around it."""
    random = Random(1)
    draws = [Lognormal(0.05, 0.5).draw(random) for _ in range(2000)]
    assert 900 < sum(draw < 0.05 for draw in draws) < 1100
    assert len(set(draws)) > 1000


# --- the arrival log


def test_the_log_keeps_the_last_arrivals_and_counts_those_dropped() -> None:
    """A full log drops its oldest arrival; the sequence goes on."""
    log = ArrivalLog(size=2)
    for path in ("/a", "/b", "/c"):
        log.finish(log.arrive("GET", path, "", None))
    snapshot: Any = log.snapshot()
    assert [(arrival["sequence"], arrival["path"]) for arrival in snapshot["arrivals"]] == [(2, "/b"), (3, "/c")]
    assert (snapshot["total"], snapshot["dropped"]) == (3, 1)


def test_an_arrival_tells_its_times_by_the_clocks_given() -> None:
    """Arrival and end are unix seconds, the start is monotonic seconds; the end is null while in flight."""
    unix_seconds = iter([1000.0, 1002.5])
    log = ArrivalLog(unix_clock=lambda: next(unix_seconds), monotonic_clock=lambda: 7.0)
    arrival = log.arrive("GET", "/", "", None)
    assert (arrival.arrived_at, arrival.started_monotonic_seconds, arrival.finished_at) == (1000.0, 7.0, None)
    log.finish(arrival)
    assert arrival.finished_at == 1002.5


def test_the_high_water_mark_is_the_most_that_were_in_flight_at_once() -> None:
    """max_in_flight stays when in_flight goes down, and each arrival counts itself."""
    log = ArrivalLog()
    first, second = log.arrive("GET", "/", "", None), log.arrive("GET", "/", "", None)
    log.finish(first)
    log.finish(second)
    third = log.arrive("GET", "/", "", None)
    assert [first.in_flight, second.in_flight, third.in_flight] == [1, 2, 1]
    assert (log.snapshot()["in_flight"], log.snapshot()["max_in_flight"]) == (1, 2)


def test_a_reset_keeps_count_of_what_is_still_in_flight() -> None:
    """A request from before the reset still counts as in flight until it ends, and then no more."""
    log = ArrivalLog()
    early = log.arrive("GET", "/", "", None)
    log.finish(log.arrive("GET", "/", "", None))
    log.reset()
    assert log.snapshot() == {"arrivals": [], "total": 0, "dropped": 0, "in_flight": 1, "max_in_flight": 1}
    log.finish(early)
    assert log.snapshot()["in_flight"] == 0
    assert log.arrive("GET", "/", "", None).sequence == 1


def test_a_log_of_no_size_is_refused() -> None:
    """A mock with a log size below 1 is not made, and says why."""
    with pytest.raises(ValueError, match="the log size is 0; it must be 1 or more"):
        create_app(MockSettings(log_size=0))


# --- the echo


async def test_any_method_on_any_path_is_echoed(client: httpx.AsyncClient) -> None:
    """Method, raw path and raw query come back as they were sent."""
    answer = await client.request("PURGE", "/a%2Fb//c?x=%20&x=2&&y")
    assert answer.status_code == 200
    echo = answer.json()
    assert (echo["method"], echo["path"], echo["query"]) == ("PURGE", "/a%2Fb//c", "x=%20&x=2&&y")


async def test_repeated_fields_are_echoed_in_order(client: httpx.AsyncClient) -> None:
    """Repeated fields are neither joined nor sorted, and bytes beyond ASCII are read as latin-1."""
    fields = [(b"x-b", b"1"), (b"x-a", b"\xe9"), (b"x-b", b"2")]
    echo = (await client.get("/", headers=fields)).json()
    assert [pair for pair in echo["fields"] if pair[0].startswith("x-")] == [["x-b", "1"], ["x-a", "é"], ["x-b", "2"]]


async def test_a_text_body_is_echoed_as_text(client: httpx.AsyncClient) -> None:
    """A body that is UTF-8 comes back as text, with its length in bytes and its SHA-256."""
    echo = (await client.post("/", content="héllo".encode())).json()
    assert (echo["body"], echo["body_length"]) == ("héllo", 6)
    assert echo["body_sha256"] == hashlib.sha256("héllo".encode()).hexdigest()


async def test_a_binary_body_is_echoed_in_base64(client: httpx.AsyncClient) -> None:
    """A body that is not UTF-8 has no text, and its base64 holds every byte."""
    echo = (await client.post("/", content=b"\xff\x00")).json()
    assert echo["body"] is None
    assert base64.b64decode(echo["body_base64"]) == b"\xff\x00"


def test_a_body_too_large_to_echo_is_still_hashed() -> None:
    """Above 16 MiB the bytes are let go; the length and the SHA-256 cover them all."""
    body = ReceivedBody()
    body.add(bytes(MAX_ECHOED_BODY_BYTES))
    body.add(b"x")
    assert body.content is None
    assert body.length_bytes == MAX_ECHOED_BODY_BYTES + 1
    assert body.sha256 == hashlib.sha256(bytes(MAX_ECHOED_BODY_BYTES) + b"x").hexdigest()


async def test_head_has_the_fields_of_get_and_no_body() -> None:
    """HEAD tells the Content-Length that GET would have, and hands the server no byte to send."""
    request = DirectRequest("/mock/binary", method="HEAD")
    request.finish_body()
    await request.run(create_app(MockSettings(latency="0")))
    head, body = request.sent
    assert (b"content-length", b"256") in head["headers"]
    assert (body["body"], body["more_body"]) == (b"", False)


@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.parametrize("path", ["/", "/mock/binary", "/?mock_size=5"])
async def test_a_status_without_content_has_no_body(client: httpx.AsyncClient, path: str, status: int) -> None:
    """204, 205 and 304 have neither body nor Content-Length, whatever else was asked."""
    answer = await client.get(path, headers={"X-Mock-Status": str(status)})
    assert (answer.status_code, answer.content, answer.headers.get("content-length")) == (status, b"", None)


# --- what a request may ask of its answer


@pytest.mark.parametrize("status", [200, 418, 599])
async def test_mock_status_sets_the_status(client: httpx.AsyncClient, status: int) -> None:
    """The status asked for comes with the echo."""
    answer = await client.get(f"/x?mock_status={status}")
    assert (answer.status_code, answer.json()["path"]) == (status, "/x")


@pytest.mark.parametrize("size_bytes", [0, 1, 65_536, 65_537, 200_000])
async def test_mock_size_gives_a_body_of_that_many_bytes(client: httpx.AsyncClient, size_bytes: int) -> None:
    """Byte n of the body is n modulo 256, and Content-Length is exact."""
    answer = await client.get(f"/?mock_size={size_bytes}")
    assert answer.content == bytes(n % 256 for n in range(size_bytes))
    assert answer.headers["content-length"] == str(size_bytes)
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_field_asks_as_a_query_parameter_does(client: httpx.AsyncClient) -> None:
    """X-Mock-Status and X-Mock-Size work without any query."""
    answer = await client.get("/", headers={"X-Mock-Status": "503", "X-Mock-Size": "3"})
    assert (answer.status_code, answer.content) == (503, b"\0\1\2")


async def test_the_query_wins_over_the_field(client: httpx.AsyncClient) -> None:
    """A field that the query overrules is not even read."""
    answer = await client.get("/?mock_status=201", headers={"X-Mock-Status": "nonsense"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("query", "fields", "parameter", "value", "mend"),
    [
        ("mock_status=199", {}, "mock_status", "199", "from 200 to 599"),
        ("mock_status=600", {}, "mock_status", "600", "from 200 to 599"),
        ("mock_status=", {}, "mock_status", "", "from 200 to 599"),
        ("mock_size=67108865", {}, "mock_size", "67108865", "from 0 to 67108864"),
        ("mock_size=-1", {}, "mock_size", "-1", "from 0 to 67108864"),
        ("mock_size=" + "9" * 5000, {}, "mock_size", "9" * 5000, "from 0 to 67108864"),
        ("mock_latency=soon", {}, "mock_latency", "soon", "write seconds like 0.05"),
        ("", {"X-Mock-Latency": "uniform:1"}, "X-Mock-Latency", "uniform:1", "write uniform:0.01,0.2"),
    ],
)
async def test_a_bad_override_is_a_problem_that_tells_how_to_mend_it(
    client: httpx.AsyncClient, query: str, fields: dict[str, str], parameter: str, value: str, mend: str
) -> None:
    """A 400 names the parameter as the client wrote it, the value, and what would be right."""
    answer = await client.get(f"/?{query}", headers=fields)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert (problem["parameter"], problem["value"]) == (parameter, value)
    assert mend in problem["mend"]
    assert parameter in problem["detail"]


async def test_mock_latency_overrules_the_default_for_one_request() -> None:
    """While the default holds one request back, another with mock_latency=0 is answered."""
    app = create_app(MockSettings(latency="3600"))
    slow = DirectRequest("/slow")
    slow.finish_body()
    task = asyncio.create_task(slow.run(app))
    async with asyncio.timeout(PATIENCE_SECONDS), client_of(app) as client:
        await let_tasks_run()
        await client.get("/fast?mock_latency=0", headers={"X-Mock-Latency": "3600"})
        arrivals = (await client.get("/__admin/arrivals")).json()["arrivals"]
        assert [(a["path"], a["finished_at"] is None) for a in arrivals] == [("/slow", True), ("/fast", False)]
        slow.leave()
        await task


async def test_a_request_is_answered_after_its_latency(client: httpx.AsyncClient) -> None:
    """A client that stays gets its answer when the wait is over."""
    answer = await client.get("/x?mock_latency=uniform:0.001,0.002")
    assert (answer.status_code, answer.json()["path"]) == (200, "/x")


async def test_a_seed_gives_the_same_latencies_in_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two mocks with one seed hold their n-th requests equally long; another seed differs."""
    waits: list[float] = []

    async def note_the_wait(seconds: float, _receive: object) -> bool:
        waits.append(seconds)
        return False

    monkeypatch.setattr(endpoint, "_client_leaves_within", note_the_wait)
    for seed in (1, 1, 2):
        async with client_of(create_app(MockSettings(latency="uniform:0,1", seed=seed))) as client:
            for _ in range(3):
                await client.get("/")
    assert waits[0:3] == waits[3:6]
    assert waits[3:6] != waits[6:9]


# --- the special pages and the mock's own pages


async def test_the_redirect_page_is_a_302(client: httpx.AsyncClient) -> None:
    """/mock/redirect points to /elsewhere."""
    answer = await client.get("/mock/redirect")
    assert (answer.status_code, answer.headers["location"]) == (302, "/elsewhere")


async def test_the_cookies_page_sends_two_fields(client: httpx.AsyncClient) -> None:
    """/mock/cookies has two Set-Cookie fields, not one joined."""
    answer = await client.get("/mock/cookies")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


async def test_the_gzip_page_is_the_same_bytes_each_time(client: httpx.AsyncClient) -> None:
    """/mock/gzip is marked and packed as gzip, with no time stamp in it."""
    async with client.stream("GET", "/mock/gzip") as answer:
        packed = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == b'{"message": "this was sent as gzip"}'
    assert packed[4:8] == bytes(4)


async def test_the_binary_page_has_every_byte_value(client: httpx.AsyncClient) -> None:
    """/mock/binary is the bytes 0 to 255."""
    assert (await client.get("/mock/binary")).content == bytes(range(256))


async def test_the_hop_by_hop_page_names_a_private_field(client: httpx.AsyncClient) -> None:
    """/mock/hop-by-hop has hop-by-hop fields, one of them only because Connection names it."""
    fields = (await client.get("/mock/hop-by-hop")).headers
    assert fields["connection"] == "Keep-Alive, Proxy-Connection, X-Private"
    assert {"keep-alive", "proxy-connection", "proxy-authenticate", "x-private", "x-public"} <= set(fields)


async def test_a_special_page_obeys_mock_status(client: httpx.AsyncClient) -> None:
    """/mock/redirect can be another redirect."""
    answer = await client.get("/mock/redirect?mock_status=308")
    assert (answer.status_code, answer.headers["location"]) == (308, "/elsewhere")


@pytest.mark.parametrize("path", ["/health", "/health/"])
async def test_health_answers_with_and_without_a_slash(client: httpx.AsyncClient, path: str) -> None:
    """Neither spelling redirects."""
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_the_mock_has_its_own_documentation(client: httpx.AsyncClient, path: str) -> None:
    """FastAPI's pages are served, not echoed."""
    answer = await client.get(path)
    assert answer.status_code == 200
    assert "Mock target" in answer.text


async def test_a_slash_at_the_end_is_never_redirected(client: httpx.AsyncClient) -> None:
    """/docs/ is a path like any other, and an admin page has one spelling."""
    answer = await client.get("/docs/")
    assert (answer.status_code, answer.json()["path"]) == (200, "/docs/")
    assert (await client.get("/__admin/arrivals/")).status_code == 404


# --- the admin pages


@pytest.mark.parametrize("path", ["/health", "/docs", "/redoc", "/openapi.json", "/__admin/latency", "/__admin/no"])
async def test_the_mocks_own_pages_are_not_logged(client: httpx.AsyncClient, path: str) -> None:
    """Looking at the mock leaves no arrival."""
    await client.get(path)
    assert (await client.get("/__admin/arrivals")).json()["total"] == 0


async def test_the_log_tells_what_arrived(client: httpx.AsyncClient) -> None:
    """An arrival has its number, method, raw path, raw query and request id, also when it is refused."""
    await client.put("/a%2Fb?mock_status=1", headers={"X-Request-ID": "r-1"})
    await client.get("/mock/cookies")
    first, second = (await client.get("/__admin/arrivals")).json()["arrivals"]
    assert (first["sequence"], first["method"], first["path"]) == (1, "PUT", "/a%2Fb")
    assert (first["query"], first["request_id"], first["in_flight"]) == ("mock_status=1", "r-1", 1)
    assert (second["sequence"], second["path"], second["request_id"]) == (2, "/mock/cookies", None)
    assert first["arrived_at"] <= first["finished_at"] <= second["arrived_at"]


async def test_the_sequence_is_the_order_in_which_the_heads_arrived() -> None:
    """A request is numbered when its head arrives, though its body and its answer come after a later one's."""
    app = create_app(MockSettings(latency="0"))
    early, late = DirectRequest("/early"), DirectRequest("/late")
    tasks = [asyncio.create_task(early.run(app)), asyncio.create_task(late.run(app))]
    await let_tasks_run()
    late.finish_body()
    await tasks[1]
    early.finish_body()
    await tasks[0]
    async with client_of(app) as client:
        log = (await client.get("/__admin/arrivals")).json()
    assert [(a["path"], a["sequence"], a["in_flight"]) for a in log["arrivals"]] == [("/early", 1, 1), ("/late", 2, 2)]
    assert log["arrivals"][0]["finished_at"] >= log["arrivals"][1]["finished_at"]
    assert (log["in_flight"], log["max_in_flight"]) == (0, 2)


@pytest.mark.parametrize("body_is_complete", [True, False])
async def test_a_client_that_leaves_is_recorded_as_finished(body_is_complete: bool) -> None:
    """Leaving during the body or during the latency ends the request at once, unanswered."""
    app = create_app(MockSettings(latency="3600"))
    request = DirectRequest("/")
    task = asyncio.create_task(request.run(app))
    if body_is_complete:
        request.finish_body()
    await let_tasks_run()
    request.leave()
    async with asyncio.timeout(PATIENCE_SECONDS), client_of(app) as client:
        await task
        log = (await client.get("/__admin/arrivals")).json()
    assert request.sent == []
    assert log["in_flight"] == 0
    assert log["arrivals"][0]["finished_at"] is not None


async def test_trailers_that_arrive_with_the_body_are_not_echoed() -> None:
    """Only the fields of the head are echoed, though the server adds trailers to the same list."""
    app = create_app(MockSettings(latency="0"))
    request, fields = DirectRequest("/"), [(b"x-head", b"1")]
    task = asyncio.create_task(request.run(app, fields))
    await let_tasks_run()
    fields.append((b"x-trailer", b"2"))
    request.finish_body()
    await task
    assert b'"fields": [["x-head", "1"]]' in request.sent[1]["body"]


async def test_deleting_the_arrivals_starts_again(client: httpx.AsyncClient) -> None:
    """After a reset the log is empty and the next arrival is number 1."""
    await client.get("/before")
    assert (await client.delete("/__admin/arrivals")).status_code == 204
    await client.get("/after")
    log = (await client.get("/__admin/arrivals")).json()
    assert [(arrival["sequence"], arrival["path"]) for arrival in log["arrivals"]] == [(1, "/after")]


async def test_the_log_size_is_a_setting() -> None:
    """A mock with a log of one keeps the last arrival only."""
    async with client_of(create_app(MockSettings(latency="0", log_size=1))) as client:
        await client.get("/a")
        await client.get("/b")
        log = (await client.get("/__admin/arrivals")).json()
    assert ([arrival["path"] for arrival in log["arrivals"]], log["dropped"]) == (["/b"], 1)


async def test_the_default_latency_can_be_changed(client: httpx.AsyncClient) -> None:
    """What PUT sets, GET tells."""
    changed = await client.put("/__admin/latency", json={"latency": "uniform:0.01,0.2"})
    assert changed.json() == {"latency": "uniform:0.01,0.2"}
    assert (await client.get("/__admin/latency")).json() == {"latency": "uniform:0.01,0.2"}


async def test_a_bad_default_latency_changes_nothing(client: httpx.AsyncClient) -> None:
    """A 400 problem quotes the value and the old latency stays."""
    refused = await client.put("/__admin/latency", json={"latency": "uniform:2,1"})
    assert (refused.status_code, refused.json()["value"]) == (400, "uniform:2,1")
    assert (await client.get("/__admin/latency")).json() == {"latency": "fixed:0.0"}


# --- the command line


def test_help_teaches_by_example() -> None:
    """--help shows the latency grammar and commands to copy."""
    text = CliRunner().invoke(command_line, ["--help"]).output
    assert "uniform:0.01,0.2" in text
    assert "curl http://127.0.0.1:9000/__admin/arrivals" in text


def test_a_bad_latency_on_the_command_line_is_a_usage_error() -> None:
    """Nothing starts; the message says what was given and what would be right."""
    result = CliRunner().invoke(command_line, ["--latency", "uniform:1"])
    assert result.exit_code == 2
    assert "'uniform:1' is not a latency" in result.output
