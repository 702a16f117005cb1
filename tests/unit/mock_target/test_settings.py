"""Settings: the values in force, how they are changed and reset, and the errors of a change."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_target import MockSettings, Settings, create_app
from mock_target.admin.settings_api import MAX_SETTINGS_BYTES
from mock_target.settings.behaviour import NOTHING_SET, Behaviour
from mock_target.settings.json_format import MAX_ROUTES, read_settings, write_settings
from mock_target.settings.knob import Knob, KnobError, nearest_name
from mock_target.settings.knob_table import FAULTS, KNOBS, KNOBS_BY_NAME
from tests.unit.mock_target.mock_rig import client_of


def documents_of(knobs: Sequence[Knob]) -> "st.SearchStrategy[dict[str, Any]]":
    chosen = st.dictionaries(st.sampled_from(knobs), st.booleans(), max_size=len(knobs))
    return chosen.map(lambda found: {knob.name: None if is_null else knob.example for knob, is_null in found.items()})


some_knobs = documents_of(KNOBS)
some_route_knobs = documents_of([knob for knob in KNOBS if knob.per_request])


def test_every_value_of_a_behaviour_is_a_knob() -> None:
    """The table of knobs and the behaviour have the same names, in the same order."""
    assert list(KNOBS_BY_NAME) == list(Behaviour.__dataclass_fields__)


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_the_example_and_the_default_of_a_knob_can_be_set(knob: Knob) -> None:
    """The examples of the knobs are valid, and integers and shares may be written as JSON numbers."""
    written: Any = write_settings(read_settings({knob.name: knob.example}, Settings()))
    assert written[knob.name] is not None
    assert knob.default is None or knob.parse(knob.default) == getattr(Settings().behaviour, knob.name)
    assert read_settings(json.loads(json.dumps(written)), Settings()) == read_settings(written, Settings())


def test_every_fault_has_a_meaning() -> None:
    """The table of faults is whole."""
    assert list(FAULTS) == list(KNOBS_BY_NAME["fault"].choices)


@given(some_knobs, st.lists(some_route_knobs, max_size=3))
def test_what_is_written_can_be_read_again(knobs: dict[str, Any], routes: list[dict[str, Any]]) -> None:
    """Settings written as JSON and read again are the same settings."""
    settings = read_settings({**knobs, "routes": [{"path": "/a", **route} for route in routes]}, Settings())
    assert read_settings(json.loads(json.dumps(write_settings(settings))), Settings()) == settings


@given(some_knobs, some_knobs)
def test_a_change_keeps_what_it_does_not_name(before: dict[str, Any], change: dict[str, Any]) -> None:
    """After a merge each knob has the value of the change if that names it, else the one from before."""
    old = read_settings(before, Settings())
    new = read_settings(change, old)
    for name in KNOBS_BY_NAME:
        source = read_settings({name: change[name]}, Settings()) if name in change else old
        assert getattr(new.behaviour, name) == getattr(source.behaviour, name)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3))
def test_any_document_is_settings_or_a_knob_error(value: object) -> None:
    """Any JSON is read, or refused with the error of settings."""
    for document in (value, {"latency": value}, {"routes": value}, {"routes": [value]}, {"routes": [{"path": value}]}):
        with suppress(KnobError):
            assert isinstance(read_settings(document, Settings()), Settings)


def test_an_unknown_name_gets_the_nearest() -> None:
    """There is always a nearest name: the most similar one."""
    assert nearest_name("latncy", KNOBS_BY_NAME) == "latency"
    assert nearest_name("errorrate", KNOBS_BY_NAME) == "error_rate"
    assert nearest_name("", KNOBS_BY_NAME) in KNOBS_BY_NAME


@pytest.mark.parametrize(
    ("document", "parameter", "value", "hint"),
    [
        ([], "settings", "[]", "write a JSON object"),
        ({"latncy": 1}, "latncy", "1", "the nearest is latency"),
        ({"latency": "uniform:2,1"}, "latency", "uniform:2,1", "low must not be above high"),
        ({"latency": [1]}, "latency", "[1]", "write text, a number, true or false"),
        ({"error_rate": 2}, "error_rate", "2", "a share from 0 to 1"),
        ({"limit": 0}, "limit", "0", "from 1 to 100000"),
        ({"limit": True}, "limit", "true", "from 1 to 100000"),
        ({"limit_status": 200}, "limit_status", "200", "an error status from 400 to 599"),
        ({"body": "x" * 65537}, "body", "x" * 65537, "at most 65536 characters"),
        ({"routes": {}}, "routes", "{}", f"a list of at most {MAX_ROUTES} routes"),
        ({"routes": [{}]}, "routes[0]", "{}", "add a path"),
        ({"routes": [{"path": "/"}, {"path": "x"}]}, "routes[1].path", "x", "write a path like /orders"),
        ({"routes": [{"path": "/a?b"}]}, "routes[0].path", "/a?b", "without a query"),
        ({"routes": [{"path": "/", "match": "regex"}]}, "routes[0].match", "regex", "write one of exact, prefix"),
        ({"routes": [{"path": "/", "method": "G T"}]}, "routes[0].method", "G T", "write a method like GET"),
        ({"routes": [{"path": "/", "status": 99}]}, "routes[0].status", "99", "from 200 to 599"),
        ({"routes": [{"path": "/", "stats": 404}]}, "routes[0].stats", "404", "the nearest is status"),
        ({"routes": [{"path": "/", "limit": 4}]}, "routes[0].limit", "4", "set it in the settings"),
        ({"routes": [{"path": "/"}] * (MAX_ROUTES + 1)}, "routes", None, f"at most {MAX_ROUTES} routes"),
    ],
)
async def test_bad_settings_change_nothing_and_get_a_hint(
    client: httpx.AsyncClient, document: object, parameter: str, value: str | None, hint: str
) -> None:
    """A 400 names the parameter, the value and what to write instead, and the settings in force stay."""
    before = (await client.get("/__admin/settings")).json()
    for method in ("PATCH", "PUT"):
        refused = await client.request(method, "/__admin/settings", json=document)
        assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
        problem = refused.json()
        assert problem["parameter"] == parameter
        assert value is None or problem["value"] == value
        assert hint in problem["hint"]
    assert (await client.get("/__admin/settings")).json() == before


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_what_is_no_json_is_a_problem(client: httpx.AsyncClient, body: bytes) -> None:
    """A 400 says what to write, and quotes only the beginning of what was sent."""
    refused = await client.patch("/__admin/settings", content=body)
    assert (refused.status_code, refused.json()["parameter"]) == (400, "the body")
    assert len(refused.content) < 2000


async def test_settings_without_end_are_refused(client: httpx.AsyncClient) -> None:
    """More than a megabyte is not even read to its end."""
    refused = await client.put("/__admin/settings", content=b" " * (MAX_SETTINGS_BYTES + 1))
    assert (refused.status_code, refused.json()["value"]) == (400, "more than 1048576 bytes")


async def test_settings_show_everything_in_force(client: httpx.AsyncClient) -> None:
    """All knobs are there, defaults filled in, null for what is not set, and the routes."""
    settings = (await client.get("/__admin/settings")).json()
    assert list(settings) == [*KNOBS_BY_NAME, "routes"]
    assert (settings["latency"], settings["error_status"], settings["error_rate"]) == ("fixed:0.0", 503, None)
    assert settings["routes"] == []


async def test_patch_merges_put_replaces_delete_restores(client: httpx.AsyncClient) -> None:
    """PATCH keeps the rest, PUT sets it to the knobs' defaults, DELETE to what the mock was started with."""
    await client.patch("/__admin/settings", json={"status": 201, "routes": [{"path": "/a"}]})
    patched = (await client.patch("/__admin/settings", json={"error_rate": 0.5})).json()
    assert (patched["status"], patched["error_rate"], len(patched["routes"])) == (201, 0.5, 1)
    replaced = (await client.put("/__admin/settings", json={"status": 202})).json()
    assert (replaced["status"], replaced["error_rate"], replaced["routes"]) == (202, None, [])
    assert replaced["latency"] == "fixed:0.05"
    restored = (await client.delete("/__admin/settings")).json()
    assert (restored["status"], restored["latency"]) == (None, "fixed:0.0")


async def test_the_result_of_get_can_be_put(client: httpx.AsyncClient) -> None:
    """PUT of the result of GET changes nothing."""
    routes = [{"path": "/a", "match": "prefix", "method": "GET", "latency": 0.1, "fields": "X-A: 1\nX-B: 2"}]
    await client.patch("/__admin/settings", json={"dribble": "3,1", "gzip": True, "routes": routes})
    before = (await client.get("/__admin/settings")).json()
    assert (await client.put("/__admin/settings", json=before)).json() == before


async def test_null_takes_a_knob_back_to_its_default(client: httpx.AsyncClient) -> None:
    """A knob that is patched with null has its default again."""
    await client.patch("/__admin/settings", json={"status": 404, "error_status": 500})
    settings = (await client.patch("/__admin/settings", json={"status": None, "error_status": None})).json()
    assert (settings["status"], settings["error_status"]) == (None, 503)


async def test_settings_change_what_is_answered(client: httpx.AsyncClient) -> None:
    """A default that is set holds for every request from then on."""
    await client.patch("/__admin/settings", json={"status": 404, "body": "gone"})
    answer = await client.get("/anything")
    assert (answer.status_code, answer.text) == (404, "gone")


async def test_the_first_route_that_applies_counts(client: httpx.AsyncClient) -> None:
    """Routes are tried in their order, and no second one is merged in."""
    routes = [
        {"path": "/a", "method": "POST", "status": 201},
        {"path": "/a/b", "status": 202},
        {"path": "/a", "match": "prefix", "status": 203, "body": "prefix"},
        {"path": "/a", "status": 204},
    ]
    await client.patch("/__admin/settings", json={"routes": routes})
    asked = [("POST", "/a"), ("GET", "/a/b"), ("GET", "/a"), ("GET", "/a/b/c"), ("GET", "/ab"), ("GET", "/A")]
    found = [(await client.request(method, path)).status_code for method, path in asked]
    assert found == [201, 202, 203, 203, 200, 200]


async def test_reset_makes_all_as_at_the_start() -> None:
    """Settings, arrivals and counts are as if the mock had just been started."""
    async with client_of(create_app(MockSettings(latency="0.001"))) as client:
        await client.patch("/__admin/settings", json={"latency": "0", "status": 404})
        await client.get("/")
        assert (await client.post("/__admin/reset")).status_code == 204
        assert (await client.get("/__admin/settings")).json()["latency"] == "fixed:0.001"
        log = (await client.get("/__admin/arrivals")).json()
    assert (log["arrivals"], log["total"], log["max_in_flight"], log["max_working"]) == ([], 0, 0, 0)


async def test_the_default_latency_can_be_changed(client: httpx.AsyncClient) -> None:
    """GET returns what PUT sets."""
    changed = await client.put("/__admin/latency", json={"latency": "uniform:0.01,0.2"})
    assert changed.json() == {"latency": "uniform:0.01,0.2"}
    assert (await client.get("/__admin/latency")).json() == {"latency": "uniform:0.01,0.2"}


@pytest.mark.parametrize(
    ("document", "value"), [({"latency": "uniform:2,1"}, "uniform:2,1"), ({"status": 1}, "{'status': 1}"), (1, "1")]
)
async def test_a_bad_default_latency_changes_nothing(client: httpx.AsyncClient, document: object, value: str) -> None:
    """A 400 problem quotes the value and the old latency stays."""
    refused = await client.put("/__admin/latency", json=document)
    assert (refused.status_code, refused.json()["value"]) == (400, value)
    assert (await client.get("/__admin/latency")).json() == {"latency": "fixed:0.0"}


async def test_the_table_of_knobs_can_be_read(client: httpx.AsyncClient) -> None:
    """Each knob comes with its names, meaning, example and default; each fault with its meaning."""
    table = (await client.get("/__admin/knobs")).json()
    assert [knob["name"] for knob in table["knobs"]] == list(KNOBS_BY_NAME)
    assert table["knobs"][0]["parameter"] == "mock_latency"
    assert table["knobs"][0]["field"] == "X-Mock-Latency"
    assert [fault["name"] for fault in table["faults"]] == list(FAULTS)


def test_a_mock_cannot_be_started_with_a_bad_latency() -> None:
    """It raises before the mock is created."""
    with pytest.raises(KnobError, match="latency is 'soon': "):
        MockSettings(latency="soon")


def test_a_request_that_asks_for_nothing_gets_the_settings_as_they_are() -> None:
    """Without a route and an override nothing is merged: the common case costs nothing."""
    settings = Settings()
    assert settings.behaviour_for("GET", "/", NOTHING_SET) is settings.behaviour
