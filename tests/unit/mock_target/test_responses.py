"""The responses of the mock target over ASGI: the echo, the special pages, and the knobs that set them."""

import base64
import gzip
import hashlib

import httpx
import pytest

from mock_target import MockSettings, create_app
from mock_target.responses.received_request import MAX_ECHOED_BODY_BYTES, ReceivedBody
from tests.unit.mock_target.mock_rig import DirectRequest


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
    """Above 16 MiB the bytes are dropped; the length and the SHA-256 cover all of them."""
    body = ReceivedBody()
    body.add(bytes(MAX_ECHOED_BODY_BYTES))
    body.add(b"x")
    assert body.content is None
    assert body.length_bytes == MAX_ECHOED_BODY_BYTES + 1
    assert body.sha256 == hashlib.sha256(bytes(MAX_ECHOED_BODY_BYTES) + b"x").hexdigest()


async def test_the_raw_head_is_null_under_another_server(client: httpx.AsyncClient) -> None:
    """Under any ASGI server the echo has the same members."""
    echo = (await client.get("/")).json()
    assert (echo["request_line"], echo["raw_fields"]) == (None, None)


async def test_head_has_the_fields_of_get_and_no_body() -> None:
    """HEAD has the Content-Length of GET, and no body."""
    request = DirectRequest("/mock/binary", method="HEAD")
    await request.start(create_app(MockSettings(latency="0")))
    head, body = request.sent
    assert (b"content-length", b"256") in head["headers"]
    assert (body["body"], body["more_body"]) == (b"", False)


@pytest.mark.parametrize("status", [204, 205, 304])
@pytest.mark.parametrize("path", ["/", "/mock/binary", "/?mock_size=5", "/?mock_gzip=1", "/mock/sse"])
async def test_a_status_without_content_has_no_body(client: httpx.AsyncClient, path: str, status: int) -> None:
    """204, 205 and 304 have neither body nor Content-Length, whatever else is set."""
    answer = await client.get(path, headers={"X-Mock-Status": str(status)})
    assert (answer.status_code, answer.content, answer.headers.get("content-length")) == (status, b"", None)


@pytest.mark.parametrize("status", [200, 418, 599])
async def test_mock_status_sets_the_status(client: httpx.AsyncClient, status: int) -> None:
    """The echo has the given status."""
    answer = await client.get(f"/x?mock_status={status}")
    assert (answer.status_code, answer.json()["path"]) == (status, "/x")


@pytest.mark.parametrize("size_bytes", [0, 1, 65_536, 65_537, 200_000])
async def test_mock_size_gives_a_body_of_that_many_bytes(client: httpx.AsyncClient, size_bytes: int) -> None:
    """Byte n of the body is n modulo 256, and Content-Length is exact."""
    answer = await client.get(f"/?mock_size={size_bytes}")
    assert answer.content == bytes(n % 256 for n in range(size_bytes))
    assert answer.headers["content-length"] == str(size_bytes)
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_a_body_of_ones_own_replaces_the_echo(client: httpx.AsyncClient) -> None:
    """body and content_type replace the echo, as UTF-8."""
    answer = await client.get("/", params={"mock_body": '{"é": 1}', "mock_content_type": "application/json"})
    assert (answer.content, answer.headers["content-type"]) == ('{"é": 1}'.encode(), "application/json")


async def test_more_fields_can_be_added(client: httpx.AsyncClient) -> None:
    """Each line of fields is a response field, repetitions and all."""
    answer = await client.get("/", params={"mock_fields": "X-A: 1\nSet-Cookie: a=1\nSet-Cookie: b=2"})
    assert answer.headers["x-a"] == "1"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize(("query", "status"), [("", 302), ("&mock_status=307", 307)])
async def test_a_redirect_has_the_given_location(client: httpx.AsyncClient, query: str, status: int) -> None:
    """redirect sets the Location, no body, and 302 unless a status is set."""
    answer = await client.get(f"/?mock_redirect=https://example.org/x{query}")
    assert (answer.status_code, answer.headers["location"]) == (status, "https://example.org/x")
    assert answer.content == b""


async def test_there_is_one_location(client: httpx.AsyncClient) -> None:
    """The redirect page goes to the given Location, and only there."""
    answer = await client.get("/mock/redirect?mock_redirect=/there")
    assert answer.headers.get_list("location") == ["/there"]


@pytest.mark.parametrize("size_bytes", [0, 1000, 300_000])
async def test_gzip_compresses_the_body(client: httpx.AsyncClient, size_bytes: int) -> None:
    """With gzip the bytes on the wire are packed, and Content-Length is theirs; small and large alike."""
    async with client.stream("GET", f"/?mock_size={size_bytes}&mock_gzip=true") as answer:
        packed = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-length"] == str(len(packed))
    assert gzip.decompress(packed) == bytes(n % 256 for n in range(size_bytes))


async def test_nothing_is_packed_twice(client: httpx.AsyncClient) -> None:
    """The gzip page is unchanged when gzip is set."""
    answer = await client.get("/mock/gzip?mock_gzip=true")
    assert answer.headers.get_list("content-encoding") == ["gzip"]
    assert answer.json() == {"message": "this was sent as gzip"}


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


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/health"])
async def test_the_mocks_own_pages_are_there_to_be_looked_at_only(client: httpx.AsyncClient, path: str) -> None:
    """What is sent to one of them is echoed and logged, as on any path."""
    answer = await client.post(path, content=b"x")
    assert (answer.status_code, answer.json()["body"]) == (200, "x")
    assert (await client.get("/__admin/arrivals")).json()["total"] == 1


async def test_health_supports_head(client: httpx.AsyncClient) -> None:
    """A probe with HEAD gets a response and is not logged."""
    assert (await client.head("/health")).status_code == 200
    assert (await client.get("/__admin/arrivals")).json()["total"] == 0


async def test_a_slash_at_the_end_is_never_redirected(client: httpx.AsyncClient) -> None:
    """/docs/ is a path like any other, and an admin page has one spelling."""
    answer = await client.get("/docs/")
    assert (answer.status_code, answer.json()["path"]) == (200, "/docs/")
    assert (await client.get("/__admin/arrivals/")).status_code == 404
