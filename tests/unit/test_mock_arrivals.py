"""The mock target's arrival log, and the pages that read and reset it."""

import asyncio
from typing import Any

import httpx
import pytest

from mock_target import MockSettings, create_app
from mock_target.arrivals import ArrivalLog
from tests.unit.mock_rig import PATIENCE_SECONDS, DirectRequest, client_of, let_tasks_run


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
