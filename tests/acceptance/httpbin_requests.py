"""What requests sends: methods, parameters, fields, bodies, forms, files and credentials, in a table."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.auth import HTTPDigestAuth
from urllib3 import HTTPHeaderDict

from tests.acceptance.httpbin_asking import Ask, Case, Fresh, content

_MEBIBYTE = 1024 * 1024
_EVERY_BYTE = bytes(range(256))


def ask(method: str, path: str, status: int | str = 200, *, read: Any = content, **options: Any) -> Ask:
    """Return one call, with the arguments of `requests`."""
    return Ask(method, path, status, options, read)


def get(path: str, status: int | str = 200, **options: Any) -> Ask:
    """Return a GET."""
    return ask("GET", path, status, **options)


def post(path: str = "/post", status: int | str = 200, **options: Any) -> Ask:
    """Return a POST."""
    return ask("POST", path, status, **options)


def table(**rows: Ask | tuple[Ask, ...]) -> list[Case]:
    """Return a case for each name and its calls."""
    return [Case(name, calls if isinstance(calls, tuple) else (calls,)) for name, calls in rows.items()]


def fields(given: list[tuple[str, str]]) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what adds these field lines to a request. The mapping of `requests` cannot hold repeated names."""

    def add(request: requests.PreparedRequest) -> requests.PreparedRequest:
        lines = HTTPHeaderDict(given)
        lines.update({name: str(value) for name, value in request.headers.items()})
        request.headers = lines  # type: ignore[assignment]
        return request

    return add


def _pieces() -> Iterator[bytes]:
    yield from (b"one,", b"two,", "drei: ßµ".encode())


METHODS = table(
    get=get("/get"),
    head=ask("HEAD", "/html"),
    head_of_an_error=ask("HEAD", "/status/404", 404),
    options=ask("OPTIONS", "/get"),
    options_preflight=ask(
        "OPTIONS",
        "/post",
        headers={"Origin": "http://a.example", "Access-Control-Request-Headers": "X-One, X-Two"},
    ),
    post_without_body=post(),
    put=ask("PUT", "/put", data=b"put"),
    patch=ask("PATCH", "/patch", data=b"patch"),
    delete=ask("DELETE", "/delete"),
    delete_with_body=ask("DELETE", "/delete", json={"which": 1}),
    trace=ask("TRACE", "/anything"),
    get_with_body=get("/anything", data=b"a GET may have one"),
    method_not_allowed=ask("POST", "/get", 405),
    unknown_method=ask("PROPFIND", "/get", 405),
    lower_case_method=ask("get", "/get"),
    not_found=get("/nowhere", 404),
)

PARAMS = table(
    params=get("/get", params={"a": "1", "b": "2"}),
    params_of_lists=get("/get", params={"a": ["1", "2"], "b": []}),
    params_of_pairs=get("/get", params=[("a", "1"), ("b", "2"), ("a", "3")]),
    params_of_bytes=get("/get", params=b"a=%20b+c"),
    params_joined_to_a_query=get("/get?a=1", params={"b": "2"}),
    params_without_value=get("/get?a&b=&=c"),
    params_beyond_ascii=get("/get", params={"ключ": "значение", "é": "ü"}),
    params_reserved=get("/get", params={"q": "a&b=c;d/e?f#g+h i%j"}),
    query_not_utf8=get("/get?a=%ff%fe"),
    query_long=get("/get", params={"a": "x" * 6000}),
    fragment_is_kept_back=get("/get?a=1#fragment"),
    path_beyond_ascii=get("/anything/ø/日本語"),
    path_encoded=get("/anything/a%2Fb%20c%C3%B8"),
    path_punctuation=get("/anything/!$&'()*;:@-._~"),
    path_of_dots=get("/anything/../anything/./x"),
    path_of_slashes=get("/anything//double///slashes/"),
    path_of_blanks=get("/anything/a b c"),
    scheme_in_capitals=get("HTTP://{host}/get"),
)

FIELDS = table(
    own_fields=get("/headers", headers={"X-One": "1", "x-two": "2", "X-THREE": "3"}),
    user_agent=get("/user-agent", headers={"User-Agent": "Mozilla/5.0 (somewhere)"}),
    no_default_fields=get(
        "/headers", headers={"User-Agent": None, "Accept": None, "Accept-Encoding": None, "Connection": None}
    ),
    field_of_inner_blanks=get("/headers", headers={"X-Wide": "a   b\tc"}),
    field_empty=get("/headers", headers={"X-Empty": ""}),
    field_long=get("/headers", headers={"X-Long": "y" * 8000}),
    fields_many=get("/headers", headers={f"X-Many-{number}": str(number) for number in range(80)}),
    field_utf8=get("/headers", headers={"X-Utf8": "Zoë — 東京".encode()}),
    field_latin1=get("/headers", headers={"X-Latin1": "Zoë"}),
    field_of_high_bytes=get("/headers", headers={"X-High": bytes(range(128, 256))}),
    field_repeated=get("/headers", auth=fields([("X-Many", "1"), ("X-Other", "-"), ("X-Many", "2")])),
    field_of_a_list=get("/headers", headers={"Accept": "text/html, */*;q=0.1", "Accept-Language": "de,en;q=0.5"}),
    hop_by_hop_named=get("/headers", headers={"Connection": "keep-alive", "Keep-Alive": "timeout=5"}),
    referer_and_origin=get("/headers", headers={"Referer": "http://a.example/x", "Origin": "http://a.example"}),
    odd_names=get("/headers", headers={"X-1!#$%&'*+.^`|~": "token characters"}),
)

BODIES = table(
    data_text=post(data="plain text", headers={"Content-Type": "text/plain"}),
    data_text_beyond_ascii=post(data="Straße, 東京".encode()),
    data_every_byte=post(data=_EVERY_BYTE),
    data_empty=post(data=b""),
    data_large=post(data=_EVERY_BYTE * 8192),
    form=post(data={"a": "1", "b": "2"}),
    form_of_pairs=post(data=[("a", "1"), ("a", "2"), ("b", "3")]),
    form_of_lists=post(data={"a": ["1", "2"], "b": "3"}),
    form_beyond_ascii=post(data={"naïve": "déjà vu", "名": "値"}),
    form_reserved=post(data={"a": "x=y&z+w%20 ;"}),
    json_object=post(json={"a": [1, 2.5, None, True], "ключ": "значение"}),
    json_list=post(json=[]),
    json_false=post(json=False),
    json_zero=post(json=0),
    json_and_params=post("/post?a=1", json={"b": 2}, params={"c": "3"}),
    json_of_own_type=post(json={"a": 1}, headers={"Content-Type": "application/vnd.api+json"}),
    file_like=post(data=Fresh(lambda: io.BytesIO(_EVERY_BYTE * 1000))),
    file_like_from_the_middle=post(data=Fresh(lambda: _at(io.BytesIO(b"0123456789"), 4))),
    chunked=post(data=Fresh(_pieces)),
    chunked_one_piece=post(data=Fresh(lambda: iter([b"x"]))),
    chunked_nothing=post(data=Fresh(lambda: iter([]))),
    chunked_large=post(data=Fresh(lambda: (_EVERY_BYTE * 64 for _ in range(64)))),
    chunked_json=post(data=Fresh(lambda: iter([b'{"a":', b" 1}"])), headers={"Content-Type": "application/json"}),
    chunked_put=ask("PUT", "/put", data=Fresh(_pieces)),
    uploads_one_after_another=(post(data=Fresh(_pieces)), post(data=b"then this"), post(data=Fresh(_pieces)), post()),
    upload_to_nowhere=post("/status/404", 404, data=_EVERY_BYTE * 4096),
)

FILES = table(
    file=post(files={"file": ("name.txt", b"what it holds")}),
    file_with_type_and_fields=post(files={"file": ("a.csv", b"1,2\n", "text/csv", {"X-Part": "1"})}),
    file_of_every_byte=post(files={"file": ("all.bin", _EVERY_BYTE, "application/octet-stream")}),
    file_large=post(files={"file": ("large.bin", b"\x00\xff" * (_MEBIBYTE // 2))}),
    file_empty=post(files={"file": ("empty", b"")}),
    file_beyond_ascii=post(files={"файл": ("имя файла.txt", "содержимое".encode())}),
    file_and_form=post(files={"file": ("a", b"A")}, data={"b": "B", "c": ["1", "2"]}),
    files_several=post(files=[("one", ("1.txt", b"1")), ("two", ("2.txt", b"2")), ("one", ("3.txt", b"3"))]),
    file_from_text=post(files={"file": "only text"}),
    file_put=ask("PUT", "/put", files={"file": ("name", b"put")}),
)

AUTH = table(
    basic=get("/basic-auth/user/pass", auth=("user", "pass")),
    basic_wrong=get("/basic-auth/user/pass", 401, auth=("user", "wrong")),
    basic_missing=get("/basic-auth/user/pass", 401),
    basic_in_the_url=get("http://user:pass@{host}/basic-auth/user/pass"),
    basic_beyond_ascii=get("/anything", auth=("имя".encode(), "пароль".encode())),
    basic_hidden=get("/hidden-basic-auth/user/pass", auth=("user", "pass")),
    basic_hidden_wrong=get("/hidden-basic-auth/user/pass", 404, auth=("user", "wrong")),
    bearer=get("/bearer", headers={"Authorization": "Bearer a-token"}),
    bearer_missing=get("/bearer", 401),
    digest=get("/digest-auth/auth/user/pass", auth=Fresh(lambda: HTTPDigestAuth("user", "pass"))),
    digest_sha256=get("/digest-auth/auth/user/pass/SHA-256", auth=Fresh(lambda: HTTPDigestAuth("user", "pass"))),
    digest_sha512=get("/digest-auth/auth/user/pass/SHA-512", auth=Fresh(lambda: HTTPDigestAuth("user", "pass"))),
    digest_wrong=get("/digest-auth/auth/user/pass", 401, auth=Fresh(lambda: HTTPDigestAuth("user", "wrong"))),
    digest_missing=get("/digest-auth/auth/user/pass", 401),
    digest_stale=get("/digest-auth/auth/user/pass/MD5/0", 401, auth=Fresh(lambda: HTTPDigestAuth("user", "pass"))),
)


def _at(file: io.BytesIO, place: int) -> io.BytesIO:
    file.seek(place)
    return file


REQUESTS = [*METHODS, *PARAMS, *FIELDS, *BODIES, *FILES, *AUTH]
