"""What comes back to requests, in a table: statuses, redirects, cookies, codings, ranges, caching, streams, delays."""

from typing import Any

import requests
from requests.cookies import create_cookie

from tests.acceptance.httpbin_asking import Case
from tests.acceptance.httpbin_requests import ask, get, post, table

_NOT_ECHOED = {"Connection": None}  # an echo of it would change the length that HEAD reports
_READ_TIMEOUT_SECONDS = 0.3
_LATE_SECONDS = 5  # far enough above the one before that a slow machine does not matter


def lines(response: requests.Response) -> Any:
    """Read the body by lines."""
    return list(response.iter_lines())


def small_chunks(response: requests.Response) -> Any:
    """Read the body a few bytes at a time."""
    return b"".join(response.iter_content(7))


def as_it_comes(response: requests.Response) -> Any:
    """Read the body in the pieces that the connection gives."""
    return b"".join(response.iter_content(None))


def as_text(response: requests.Response) -> Any:
    """Read the body decoded, as its Content-Type says."""
    return "".join(map(str, response.iter_content(5, decode_unicode=True))).encode()


def raw(response: requests.Response) -> Any:
    """Read the body as it was sent, codings and all."""
    return response.raw.read()


def only_the_beginning(response: requests.Response) -> Any:
    """Read ten bytes and leave."""
    with response:
        return response.raw.read(10)


_PLAIN_STATUSES = (200, 201, 202, 203, 204, 205, 206, 226, 299, 300, 304, 306, 400, 401, 402, 403, 406, 409, 410, 418,
                   422, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 511, 599)  # fmt: skip

STATUSES = table(**{f"status_{code}": get(f"/status/{code}", code) for code in _PLAIN_STATUSES}) + table(
    status_of_a_post=post("/status/201", 201, data=b"x"),
    status_of_a_delete=ask("DELETE", "/status/204", 204),
    statuses_on_one_connection=tuple(get(f"/status/{code}", code) for code in (204, 200, 304, 500, 200)),
)

_REDIRECTS = (301, 302, 303, 307, 308)

REDIRECTS = [
    *table(
        **{
            f"redirect_{status}_{method.lower()}": ask(
                method, f"/redirect-to?url=/anything&status_code={status}", data=b"x"
            )
            for status in _REDIRECTS
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        },
        **{
            f"redirect_{status}_not_followed": get(
                f"/redirect-to?url=/get&status_code={status}", status, allow_redirects=False
            )
            for status in _REDIRECTS
        },
        redirect_of_a_head=ask("HEAD", "/redirect-to?url=/html&status_code=302", allow_redirects=True),
        redirect_of_a_head_not_followed=ask("HEAD", "/redirect/1", 302, allow_redirects=False),
        redirects=get("/redirect/4"),
        redirects_relative=get("/relative-redirect/3"),
        redirects_absolute=get("/absolute-redirect/2"),
        redirect_by_status=get("/status/302"),
        redirect_beyond_ascii=get("/redirect-to", params={"url": "/anything/ø?a=é"}),
        redirect_with_query=get("/redirect-to", params={"url": "/get?a=1&b=%20"}),
        redirect_keeps_the_fragment=get("/redirect-to?url=/get#here"),
        redirect_elsewhere_not_followed=get(
            "/redirect-to", 302, params={"url": "http://elsewhere.example/x//y?z"}, allow_redirects=False
        ),
        redirect_of_a_file=post("/redirect-to?url=/post&status_code=307", files={"file": ("a", b"A")}),
        redirect_of_a_form=post("/redirect-to?url=/post&status_code=308", data={"a": "1"}),
        redirect_keeps_own_fields=get("/redirect-to?url=/headers", headers={"X-One": "1"}),
        redirect_keeps_credentials=get("/redirect-to?url=/basic-auth/user/pass", auth=("user", "pass")),
    ),
    Case(
        "redirects_too_many",
        (get("/redirect/9", "TooManyRedirects"),),
        lambda session: setattr(session, "max_redirects", 5),
    ),
]

COOKIES = [
    *table(
        cookies_none=get("/cookies"),
        cookies_of_one_call=(get("/cookies", cookies={"a": "1", "b": "2"}), get("/cookies")),
        cookie_in_a_field=get("/cookies", headers={"Cookie": "a=1; b=2"}),
        cookies_set_and_kept=(get("/cookies/set?a=1&b=2"), get("/cookies"), get("/cookies/set/c/3"), get("/cookies")),
        cookies_set_not_followed=get("/cookies/set?a=1&b=2&c=3", 302, allow_redirects=False),
        cookies_deleted=(get("/cookies/set?a=1&b=2"), get("/cookies/delete?a="), get("/cookies")),
        cookie_overwritten=(get("/cookies/set/a/1"), get("/cookies/set/a/2"), get("/cookies")),
        cookie_quoted=(get("/cookies/set", params={"a": 'x "y"; z'}), get("/cookies")),
        cookie_beyond_ascii=(get("/cookies/set", params={"a": "ü"}), get("/cookies")),
        cookie_set_by_a_redirect=get("/cookies/set", params={"a": "1"}),
        cookies_with_attributes=(
            get("/response-headers", params={"Set-Cookie": ["a=1; Path=/; HttpOnly", "b=2; Max-Age=60; SameSite=Lax"]}),
            get("/cookies"),
        ),
        cookie_for_another_path=(
            get("/response-headers", params={"Set-Cookie": "a=1; Path=/anything"}), get("/cookies"), get("/anything"),
        ),
    ),
    Case(
        "cookies_of_the_session",
        (get("/cookies"), get("/cookies", cookies={"mine": "2"}), get("/cookies")),
        lambda session: session.cookies.set_cookie(create_cookie("own", "1")),
    ),
    Case("fields_of_the_session", (get("/headers"), post()), lambda session: session.headers.update({"X-Own": "1"})),
    Case("params_of_the_session", (get("/get"), get("/get?b=2")), lambda session: session.params.update({"a": "1"})),
    Case(
        "credentials_of_the_session",
        (get("/basic-auth/user/pass"), get("/basic-auth/user/pass", 401, auth=("user", "wrong"))),
        lambda session: setattr(session, "auth", ("user", "pass")),
    ),
]  # fmt: skip

FORMATS = table(
    gzip=get("/gzip"),
    deflate=get("/deflate"),
    brotli=get("/brotli"),
    not_coded=get("/get", headers={"Accept-Encoding": "identity"}),
    html=get("/html"),
    xml=get("/xml"),
    json=get("/json"),
    robots=get("/robots.txt"),
    deny=get("/deny"),
    utf8_page=get("/encoding/utf8"),
    utf8_page_as_text=get("/encoding/utf8", stream=True, read=as_text),
    forms_page=get("/forms/post"),
    base64=get("/base64/w4bDmMOF"),
    uuid=get("/uuid"),
    ip=get("/ip"),
    **{f"image_{kind}": get(f"/image/{kind}") for kind in ("png", "jpeg", "webp", "svg")},
    image_raw=get("/image/jpeg", stream=True, read=raw),
    image_by_accept=get("/image", headers={"Accept": "image/webp"}),
    image_not_acceptable=get("/image", 406, headers={"Accept": "text/plain"}),
    links=get("/links/5/2"),
    links_redirected=get("/links/3"),
    link_field=get("/response-headers", params={"Link": '</a>; rel="next"; title="A, b", </b>; rel=prev'}),
    response_fields=get("/response-headers", params={"X-One": "1", "Content-Language": "de", "Content-Type": "text/x"}),
    response_field_repeated=get("/response-headers?X-Many=1&X-Many=2&X-Many=3"),
    response_field_empty=get("/response-headers?X-Empty="),
    response_field_latin1=get("/response-headers", params={"X-Latin": "déjà"}),
    response_fields_of_a_post=post("/response-headers?X-One=1"),
)

CACHING = table(
    cache=get("/cache"),
    cache_not_modified_since=get("/cache", 304, headers={"If-Modified-Since": "Sat, 01 Jan 2022 00:00:00 GMT"}),
    cache_none_match=get("/cache", 304, headers={"If-None-Match": '"x"'}),
    cache_control=get("/cache/60"),
    etag=get("/etag/one"),
    etag_none_match=get("/etag/one", 304, headers={"If-None-Match": '"one"'}),
    etag_none_match_any=get("/etag/one", 304, headers={"If-None-Match": "*"}),
    etag_none_match_other=get("/etag/one", headers={"If-None-Match": 'W/"two", "three"'}),
    etag_match=get("/etag/one", headers={"If-Match": '"one"'}),
    etag_match_fails=get("/etag/one", 412, headers={"If-Match": '"two"'}),
    etag_of_a_head=ask("HEAD", "/etag/one", headers=_NOT_ECHOED),
    etag_none_match_of_a_head=ask("HEAD", "/etag/one", 304, headers={"If-None-Match": '"one"'}),
    not_modified_then_again=(get("/etag/one", 304, headers={"If-None-Match": "*"}), get("/etag/one"), get("/get")),
)

RANGES = table(
    range_whole=get("/range/1024"),
    range_of_a_head=ask("HEAD", "/range/1024"),
    range_middle=get("/range/1024", 206, headers={"Range": "bytes=100-199"}),
    range_from=get("/range/1024", 206, headers={"Range": "bytes=1000-"}),
    range_last=get("/range/1024", 206, headers={"Range": "bytes=-10"}),
    range_beyond=get("/range/1024", 416, headers={"Range": "bytes=2000-3000"}),
    range_in_pieces=get("/range/2000?chunk_size=100&duration=0.1", 206, headers={"Range": "bytes=10-1500"}),
)

# Bytes from a seed are only read whole: httpbin draws them while it sends, from one sequence for all clients.
STREAMS = table(
    stream=get("/stream/20"),
    stream_by_lines=get("/stream/20", stream=True, read=lines),
    stream_by_small_chunks=get("/stream/20", stream=True, read=small_chunks),
    stream_as_it_comes=get("/stream/20", stream=True, read=as_it_comes),
    stream_of_nothing=get("/stream/0"),
    robots_by_lines=get("/robots.txt", stream=True, read=lines),
    gzip_in_small_chunks=get("/gzip", stream=True, read=small_chunks),
    bytes=get("/bytes/1000?seed=7"),
    bytes_large=get("/bytes/102400?seed=7"),
    bytes_none=get("/bytes/0"),
    stream_bytes=get("/stream-bytes/50000?seed=7&chunk_size=1000"),
    stream_bytes_in_small_chunks=get("/stream-bytes/5000?seed=7&chunk_size=300", stream=True, read=small_chunks),
    stream_bytes_raw=get("/stream-bytes/5000?seed=7", stream=True, read=raw),
    left_early=(get("/range/100000", stream=True, read=only_the_beginning), get("/get")),
    left_early_of_chunks=(get("/stream/100", stream=True, read=only_the_beginning), get("/get")),
    left_unread=(get("/range/9000", stream=True, read=lambda response: response.close()), get("/get")),
    drip=get("/drip?numbytes=5&duration=0.2"),
    drip_late_with_status=get("/drip?numbytes=3&duration=0.1&delay=0.1&code=503", 503),
    delay=get("/delay/0.2"),
    delay_of_a_post=post("/delay/0.1", data={"a": "1"}),
    too_late=get(f"/delay/{_LATE_SECONDS}", "ReadTimeout", timeout=_READ_TIMEOUT_SECONDS),
    too_late_in_the_midst=get(
        f"/drip?numbytes=2&duration={2 * _LATE_SECONDS}", "ConnectionError", stream=True, timeout=_READ_TIMEOUT_SECONDS
    ),
    again_after_too_late=(get(f"/delay/{_LATE_SECONDS}", "ReadTimeout", timeout=_READ_TIMEOUT_SECONDS), get("/get")),
)

RESPONSES = [*STATUSES, *REDIRECTS, *COOKIES, *FORMATS, *CACHING, *RANGES, *STREAMS]
