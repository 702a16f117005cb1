"""The mock target's arrival log, and the pages that read and reset it."""

import asyncio
import json
from collections.abc import AsyncGenerator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target import MockSettings, create_app
from mock_target.admin.arrival_stream import MAX_READERS, stream_arrivals
from mock_target.state.arrival_log import ArrivalLog
from tests.unit.mock_target.mock_rig import PATIENCE_SECONDS, DirectRequest, client_of, let_tasks_run


def test_the_log_keeps_the_last_arrivals_and_counts_those_dropped() -> None:
    """A full log drops its oldest arrival; the sequence continues."""
    log = ArrivalLog(size=2)
    for path in ("/a", "/b", "/c"):
        log.finish(log.record("GET", path, "", None))
    assert [(arrival.sequence, arrival.path) for arrival in log.read_after(0, 10)] == [(2, "/b"), (3, "/c")]
    assert (log.total, log.dropped) == (3, 1)


@given(st.integers(1, 5), st.integers(0, 12), st.integers(0, 14), st.integers(0, 14))
def test_reading_gives_what_is_kept_after_a_sequence_number(size: int, total: int, since: int, most: int) -> None:
    """The oldest kept ones come first, and no more than requested."""
    log = ArrivalLog(size=size)
    for _ in range(total):
        log.record("GET", "/", "", None)
    kept = [sequence for sequence in range(1, total + 1) if sequence > max(since, total - size)]
    assert [arrival.sequence for arrival in log.read_after(since, most)] == kept[:most]


def test_a_long_path_takes_no_more_memory_than_a_short_one() -> None:
    """Of path, query and request id the log keeps the beginning, with a mark that says how much is missing."""
    arrival = ArrivalLog().record("GET", "/" + "p" * 1_000_000, "q" * 501, "i" * 201)
    assert arrival.path == "/" + "p" * 499 + "...(+999501)"
    assert arrival.query == "q" * 500 + "...(+1)"
    assert arrival.request_id == "i" * 200 + "...(+1)"


def test_an_arrival_has_the_times_of_the_given_clocks() -> None:
    """Arrival and end are unix seconds, the start is monotonic seconds; the end is null while in flight."""
    unix_seconds = iter([1000.0, 1002.5])
    log = ArrivalLog(unix_clock=lambda: next(unix_seconds), monotonic_clock=lambda: 7.0)
    arrival = log.record("GET", "/", "", None)
    assert (arrival.arrived_at, arrival.started_monotonic_seconds, arrival.finished_at) == (1000.0, 7.0, None)
    log.finish(arrival)
    assert arrival.finished_at == 1002.5


def test_the_high_water_mark_is_the_most_that_were_in_flight_at_once() -> None:
    """max_in_flight stays when in_flight goes down, and each arrival counts itself."""
    log = ArrivalLog()
    first, second = log.record("GET", "/", "", None), log.record("GET", "/", "", None)
    log.finish(first)
    log.finish(second)
    third = log.record("GET", "/", "", None)
    assert [first.in_flight, second.in_flight, third.in_flight] == [1, 2, 1]
    assert (log.in_flight, log.max_in_flight) == (1, 2)


def test_a_reset_keeps_count_of_what_is_still_in_flight() -> None:
    """A request from before the reset still counts as in flight until it ends, and then no more."""
    log = ArrivalLog()
    early = log.record("GET", "/", "", None)
    log.finish(log.record("GET", "/", "", None))
    log.reset()
    assert (log.read_after(0, 10), log.total, log.dropped, log.in_flight, log.max_in_flight) == ([], 0, 0, 1, 1)
    log.finish(early)
    assert log.in_flight == 0
    assert log.record("GET", "/", "", None).sequence == 1


def test_a_log_of_no_size_is_refused() -> None:
    """A log size below 1 is refused with the reason."""
    with pytest.raises(ValueError, match="the log size is 0; it must be 1 or more"):
        create_app(MockSettings(log_size=0))


@pytest.mark.parametrize("path", ["/health", "/docs", "/redoc", "/__admin/knobs", "/__admin/latency", "/__admin/no"])
async def test_the_mocks_own_pages_are_not_logged(client: httpx.AsyncClient, path: str) -> None:
    """Requests for the mock's own pages are not logged."""
    await client.get(path)
    assert (await client.get("/__admin/arrivals")).json()["total"] == 0


async def test_the_log_shows_what_arrived(client: httpx.AsyncClient) -> None:
    """An arrival has its number, method, raw path, raw query and request id, also when it is refused."""
    await client.put("/a%2Fb?mock_status=1", headers={"X-Request-ID": "r-1"})
    await client.get("/mock/cookies")
    first, second = (await client.get("/__admin/arrivals")).json()["arrivals"]
    assert (first["sequence"], first["method"], first["path"]) == (1, "PUT", "/a%2Fb")
    assert (first["query"], first["request_id"], first["in_flight"]) == ("mock_status=1", "r-1", 1)
    assert (second["sequence"], second["path"], second["request_id"]) == (2, "/mock/cookies", None)
    assert first["arrived_at"] <= first["finished_at"] <= second["arrived_at"]


async def test_the_sequence_is_the_order_in_which_the_heads_arrived() -> None:
    """A request is numbered when its head arrives, even if its body and its response come after a later one's."""
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
async def test_a_client_that_disconnects_is_recorded_as_finished(body_is_complete: bool) -> None:
    """Disconnecting during the body or the latency ends the request at once, without a response."""
    app = create_app(MockSettings(latency="3600"))
    request = DirectRequest("/")
    task = asyncio.create_task(request.run(app))
    if body_is_complete:
        request.finish_body()
    await let_tasks_run()
    request.disconnect()
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
    assert json.loads(request.sent[1]["body"])["fields"] == [["x-head", "1"]]


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


async def test_the_log_shows_status_and_start_of_work(client: httpx.AsyncClient) -> None:
    """An arrival has the status of its response, and when its work started; a refused one has none."""
    await client.get("/?mock_status=404")
    await client.get("/?mock_status=1")
    first, second = (await client.get("/__admin/arrivals")).json()["arrivals"]
    assert first["arrived_at"] <= first["work_started_at"] <= first["finished_at"]
    assert (first["status"], first["fault"]) == (404, None)
    assert (second["status"], second["work_started_at"]) == (400, None)


async def test_the_last_few_can_be_requested(client: httpx.AsyncClient) -> None:
    """?last=2 returns two arrivals, and the counts of all."""
    for path in ("/a", "/b", "/c"):
        await client.get(path)
    log = (await client.get("/__admin/arrivals?last=2")).json()
    assert ([arrival["path"] for arrival in log["arrivals"]], log["total"], log["dropped"]) == (["/b", "/c"], 3, 0)


async def test_the_log_as_lines_has_one_arrival_a_line(client: httpx.AsyncClient) -> None:
    """NDJSON has the same members as the JSON document, after a sequence number if one is given."""
    for path in ("/a", "/b"):
        await client.get(path)
    answer = await client.get("/__admin/arrivals.ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == (await client.get("/__admin/arrivals")).json()[
        "arrivals"
    ]
    rest = await client.get("/__admin/arrivals.ndjson?since=1")
    assert [json.loads(line)["path"] for line in rest.text.splitlines()] == ["/b"]


async def test_lost_lines_are_counted() -> None:
    """A line counts the arrivals that were dropped."""
    async with client_of(create_app(MockSettings(latency="0", log_size=2))) as client:
        for _ in range(5):
            await client.get("/")
        lines = (await client.get("/__admin/arrivals.ndjson?since=1")).text.splitlines()
    assert [json.loads(line).get("lost", "kept") for line in lines] == [2, "kept", "kept"]


@pytest.mark.parametrize(
    ("query", "parameter"), [("since=-1", "since"), ("since=x", "since"), ("follow=soon", "follow")]
)
async def test_a_bad_reading_is_a_problem(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    """A 422 names the parameter, the value and what to write instead."""
    answer = await client.get(f"/__admin/arrivals.ndjson?{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.json()["parameter"], answer.json()["value"]) == (parameter, query.partition("=")[2])


async def next_line(lines: AsyncGenerator[bytes, None]) -> dict[str, object]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        line: dict[str, object] = json.loads(await anext(lines))
    return line


async def test_a_follower_gets_each_arrival_at_once() -> None:
    """A follower first gets the arrivals in the log, and then the new ones."""
    log = ArrivalLog()
    log.record("GET", "/before", "", None)
    lines = stream_arrivals(log, since=0, follow=True)
    assert (await next_line(lines))["path"] == "/before"
    coming = asyncio.create_task(next_line(lines))
    await let_tasks_run()
    assert not coming.done()
    log.record("GET", "/after", "", None)
    assert (await coming)["path"] == "/after"


async def test_a_slow_follower_gets_the_number_of_lost_arrivals() -> None:
    """A follower that is too slow gets the number of dropped arrivals, and then the rest."""
    log = ArrivalLog(size=3)
    log.record("GET", "/", "", None)
    lines = stream_arrivals(log, since=0, follow=True)
    assert (await next_line(lines))["sequence"] == 1
    for _ in range(10):
        log.record("GET", "/", "", None)
    assert await next_line(lines) == {"lost": 7}
    rest = (await anext(lines)).splitlines()
    assert [json.loads(line)["sequence"] for line in rest] == [9, 10, 11]


async def test_a_follower_gets_a_reset_line() -> None:
    """After a reset the numbers start again, and nothing is missed or repeated."""
    log = ArrivalLog()
    log.record("GET", "/", "", None)
    lines = stream_arrivals(log, since=0, follow=True)
    await next_line(lines)
    log.reset()
    log.record("GET", "/new", "", None)
    assert await next_line(lines) == {"reset": True}
    assert (await next_line(lines))["path"] == "/new"


async def test_a_follower_that_left_costs_nothing() -> None:
    """When a stream ends, the log no longer counts it as a reader."""
    log = ArrivalLog()
    log.record("GET", "/", "", None)
    lines = stream_arrivals(log, since=0, follow=True)
    await next_line(lines)
    assert log.readers == 1
    await lines.aclose()
    assert log.readers == 0


async def test_there_are_only_so_many_followers() -> None:
    """One follower over the limit is refused with 503, and followers delay no arrival."""
    app = create_app(MockSettings(latency="0"))
    followers = [DirectRequest("/__admin/arrivals.ndjson", query="follow=true") for _ in range(MAX_READERS)]
    tasks = [asyncio.create_task(follower.run(app)) for follower in followers]
    await let_tasks_run()
    async with client_of(app) as client:
        refused = await client.get("/__admin/arrivals.ndjson?follow=true")
        assert (await client.get("/")).status_code == 200
    assert (refused.status_code, refused.headers["content-type"]) == (503, "application/problem+json")
    for follower in followers:
        follower.disconnect()
    await asyncio.gather(*tasks)
