"""What the mock target answers over ASGI: the echo, what a request may ask for, and its own pages."""

import asyncio
import base64
import gzip
import hashlib

import httpx
import pytest

from mock_target import MockSettings, create_app, endpoint
from mock_target.echo import MAX_ECHOED_BODY_BYTES, ReceivedBody
from tests.unit.mock_rig import PATIENCE_SECONDS, DirectRequest, client_of, let_tasks_run


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
