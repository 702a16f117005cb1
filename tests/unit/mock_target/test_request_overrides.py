"""What one request sets for its own response: by query or by field, and errors."""

import asyncio
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target import MockSettings, create_app
from mock_target.settings.behaviour import NOTHING_SET, Behaviour
from mock_target.settings.knob import Knob, KnobError
from mock_target.settings.knob_table import KNOBS
from mock_target.settings.request_overrides import read_overrides
from tests.unit.mock_target.mock_rig import DirectRequest, client_of, let_tasks_run

REQUEST_KNOBS = [knob for knob in KNOBS if knob.per_request]


@pytest.mark.parametrize("knob", REQUEST_KNOBS, ids=lambda knob: knob.name)
def test_each_knob_is_a_query_parameter_and_a_field(knob: Knob) -> None:
    """Both spellings set the same value of the knob."""
    expected = Behaviour(**{knob.name: knob.parse(knob.example)})  # type: ignore[arg-type]
    query = str(httpx.QueryParams({knob.parameter: knob.example})).encode()
    assert read_overrides(b"a=1&" + query, []) == expected
    assert read_overrides(b"", [(b"host", b"x"), (knob.field.lower().encode(), knob.example.encode())]) == expected


@given(st.text(alphabet="abcmo_=&k%", max_size=20))
def test_a_query_that_names_no_knob_asks_for_nothing(query: str) -> None:
    """The mock ignores names that do not begin with mock_."""
    if "mock_" not in query:
        assert read_overrides(query.encode(), [(b"x-request-id", b"1")]) is NOTHING_SET


async def test_a_field_asks_as_a_query_parameter_does(client: httpx.AsyncClient) -> None:
    """X-Mock-Status and X-Mock-Size work without any query."""
    answer = await client.get("/", headers={"X-Mock-Status": "503", "X-Mock-Size": "3"})
    assert (answer.status_code, answer.content) == (503, b"\0\1\2")


async def test_the_query_wins_over_the_field(client: httpx.AsyncClient) -> None:
    """A field with an override in the query is not read."""
    answer = await client.get("/?mock_status=201", headers={"X-Mock-Status": "nonsense"})
    assert answer.status_code == 201


def test_of_several_with_one_name_the_first_counts() -> None:
    """If a name is repeated in the query or the fields, its first value counts."""
    assert read_overrides(b"mock_status=201&mock_status=202", []).status == 201
    assert read_overrides(b"", [(b"x-mock-status", b"203"), (b"x-mock-status", b"204")]).status == 203


@pytest.mark.parametrize(
    ("query", "fields", "parameter", "value", "hint"),
    [
        ("mock_status=199", {}, "mock_status", "199", "from 200 to 599"),
        ("mock_status=600", {}, "mock_status", "600", "from 200 to 599"),
        ("mock_status=", {}, "mock_status", "", "from 200 to 599"),
        ("mock_size=67108865", {}, "mock_size", "67108865", "from 0 to 67108864"),
        ("mock_size=-1", {}, "mock_size", "-1", "from 0 to 67108864"),
        ("mock_size=" + "9" * 5000, {}, "mock_size", "9" * 5000, "from 0 to 67108864"),
        ("mock_latency=soon", {}, "mock_latency", "soon", "write seconds like 0.05"),
        ("", {"X-Mock-Latency": "uniform:1"}, "X-Mock-Latency", "uniform:1", "write uniform:0.01,0.2"),
        ("mock_error_rate=1.1", {}, "mock_error_rate", "1.1", "a share from 0 to 1"),
        ("mock_fault=rest", {}, "mock_fault", "rest", "write one of reset, empty"),
        ("mock_dribble=5", {}, "mock_dribble", "5", "pieces,seconds like 5,2"),
        ("mock_dribble=10001,1", {}, "mock_dribble", "10001,1", "1 to 10000 pieces"),
        ("mock_redirect=/%0a", {}, "mock_redirect", "/\n", "visible ASCII"),
        ("mock_fields=X", {}, "mock_fields", "X", "Cache-Control: no-store"),
        ("mock_fields=Content-Length:1", {}, "mock_fields", "Content-Length:1", "frames its responses itself"),
        ("mock_gzip=maybe", {}, "mock_gzip", "maybe", "write true or false"),
        ("mock_bandwidth=0", {}, "mock_bandwidth", "0", "from 1 to 1000000000"),
        ("mock_latncy=1", {}, "mock_latncy", "1", "the nearest is mock_latency"),
        ("", {"X-Mock-Eror-Rate": "1"}, "X-Mock-Eror-Rate", "1", "the nearest is X-Mock-Error-Rate"),
        ("mock_limit=1", {}, "mock_limit", "1", "PATCH it to /__admin/settings"),
    ],
)
async def test_a_bad_value_is_a_problem_with_a_hint(
    client: httpx.AsyncClient, query: str, fields: dict[str, str], parameter: str, value: str, hint: str
) -> None:
    """A 400 names the parameter as the client wrote it, the value, and what would be right."""
    answer = await client.get(f"/?{query}", headers=fields)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    problem = answer.json()
    assert (problem["parameter"], problem["value"]) == (parameter, value)
    assert hint in problem["hint"]
    assert parameter in problem["detail"]


@given(st.sampled_from(REQUEST_KNOBS), st.text(max_size=40))
def test_any_text_is_a_value_or_a_knob_error(knob: Knob, text: str) -> None:
    """Any text is parsed, or refused with the error of a knob."""
    query = str(httpx.QueryParams({knob.parameter: text})).encode()
    with suppress(KnobError):
        assert read_overrides(query, []) != NOTHING_SET


async def test_mock_latency_overrules_the_default_for_one_request() -> None:
    """While the default delays one request, another with mock_latency=0 gets its response."""
    app = create_app(MockSettings(latency="3600"))
    slow = DirectRequest("/slow")
    task = slow.start(app)
    async with client_of(app) as client:
        await let_tasks_run()
        await client.get("/fast?mock_latency=0", headers={"X-Mock-Latency": "3600"})
        arrivals = (await client.get("/__admin/arrivals")).json()["arrivals"]
    assert [(a["path"], a["finished_at"] is None) for a in arrivals] == [("/slow", True), ("/fast", False)]
    slow.disconnect()
    await task


async def test_a_request_is_answered_after_its_latency(client: httpx.AsyncClient) -> None:
    """A client that stays gets its response after the wait."""
    answer = await client.get("/x?mock_latency=uniform:0.001,0.002")
    assert (answer.status_code, answer.json()["path"]) == (200, "/x")


async def test_a_request_may_overrule_all_that_a_route_says() -> None:
    """A request overrides its route, and a route overrides the default."""
    app = create_app(MockSettings(latency="0"))
    async with client_of(app) as client:
        routes = [{"path": "/a", "status": 202}]
        await client.patch("/__admin/settings", json={"status": 201, "routes": routes})
        found = [(await client.get(path)).status_code for path in ("/", "/a", "/a?mock_status=203")]
    assert found == [201, 202, 203]


async def test_a_bad_request_is_refused_at_once() -> None:
    """An error is returned without waiting for the body or a latency."""
    request = DirectRequest("/", query="mock_size=x")
    await asyncio.create_task(request.run(create_app(MockSettings(latency="3600"))))
    assert request.status == 400
