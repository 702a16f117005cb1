"""The field rules of an intermediary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.errors import MalformedRequest, TargetError
from fast_priority.http.fields import (
    HOP_BY_HOP,
    check_queued_request,
    check_relayed_response,
    check_request_framing,
    content_length,
    end_to_end_request_fields,
    end_to_end_response_fields,
    has_body,
    host_of,
)
from fast_priority.http.message import Fields, Request

HOST = (b"host", b"gateway")
token = st.from_regex(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", fullmatch=True)
kept_names = token.filter(lambda name: name.lower() not in HOP_BY_HOP | {b"host", b"expect"})
visible = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.encode)


@given(st.lists(st.tuples(kept_names, visible)))
def test_request_fields_are_kept(fields: Fields) -> None:
    """End-to-end fields reach the target as sent: case, order, repetitions and values."""
    assert end_to_end_request_fields(fields) == fields


@given(st.lists(st.tuples(kept_names, st.binary())))
def test_response_fields_are_kept(fields: Fields) -> None:
    """End-to-end fields reach the client as the target sent them."""
    assert end_to_end_response_fields(fields) == fields


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
@pytest.mark.parametrize("spell", [bytes.lower, bytes.title])
def test_hop_by_hop_ends_here(name: bytes, spell: type[bytes]) -> None:
    """A field that concerns one connection goes no further, in either direction and in any case."""
    fields = [(spell(name), b"x"), (b"accept", b"*/*")]
    assert end_to_end_request_fields(fields) == end_to_end_response_fields(fields) == [(b"accept", b"*/*")]


@pytest.mark.parametrize("connection", [b"close, X-Secret", b"x-secret", b" X-SECRET ,keep-alive"])
def test_named_in_connection(connection: bytes) -> None:
    """A field that Connection names goes no further, in either direction."""
    fields = [(b"Connection", connection), (b"x-secret", b"1"), (b"x-other", b"2"), (b"X-Secret", b"3")]
    assert end_to_end_request_fields(fields) == end_to_end_response_fields(fields) == [(b"x-other", b"2")]


def test_named_in_a_later_connection() -> None:
    """Every Connection field counts, also those after the fields that it names."""
    fields = [(b"x-one", b"1"), (b"connection", b"x-two"), (b"x-two", b"2"), (b"connection", b"x-one")]
    assert end_to_end_request_fields(fields) == []


@pytest.mark.parametrize("field", [(b"Host", b"gateway"), (b"Expect", b"100-continue")])
def test_not_for_the_target(field: tuple[bytes, bytes]) -> None:
    """Host and Expect are not forwarded: the gateway sets its own Host, and answers Expect itself."""
    assert end_to_end_request_fields([field]) == []


@pytest.mark.parametrize("octet", [0x00, 0x07, 0x0A, 0x0D, 0x1F, 0x7F])
def test_control_character(octet: int) -> None:
    """A value with a control character is refused: it could end the field and begin another."""
    with pytest.raises(MalformedRequest, match="x-field"):
        end_to_end_request_fields([(b"x-field", b"a" + bytes([octet]) + b"b")])


@pytest.mark.parametrize("name", [b"", b"x field", b"x:field", b"x\r\nfield", b"x\xe4"])
def test_name_that_is_no_token(name: bytes) -> None:
    """A name that is no token is refused."""
    with pytest.raises(MalformedRequest):
        end_to_end_request_fields([(name, b"x")])


FORGED = [
    (b"", b"x"),
    (b"x\ny", b"x"),
    (b"x\n", b"x"),
    (b"x field", b"x"),
    (b"x-field", b"a\nb"),
    (b"Transfer-Encoding", b"chunked"),
    (b"content-length", b"+1"),
]


@pytest.mark.parametrize("field", FORGED)
def test_no_forged_field_reaches_the_target(field: tuple[bytes, bytes]) -> None:
    """A field that a gateway never queues is refused when it comes from Redis, also among valid fields."""
    with pytest.raises(MalformedRequest):
        check_queued_request(Request("GET", b"/", [(b"accept", b"*/*"), field, (b"x-last", b"")], b""))


@pytest.mark.parametrize(
    "hosts",
    [[b"a b"], [b"a/b"], [b"me@a"], [b"a:b"], [b"a", b"a"], [b"a", b"b"], [b"2001:db8::1"], [b"\xe4"], [b"a, b"]],
)
def test_no_forged_host_reaches_the_target(hosts: list[bytes]) -> None:
    """A Host from Redis is refused if it names no host, or if there are two."""
    with pytest.raises(MalformedRequest):
        check_queued_request(Request("GET", b"/", [(b"Host", host) for host in hosts], b""))


@pytest.mark.parametrize("host", [b"a.example:99", b"[2001:db8::1]", b""])
def test_a_preserved_host_is_accepted_from_redis(host: bytes) -> None:
    """The Host of a client that a gateway has queued is accepted by the worker."""
    check_queued_request(Request("GET", b"/", [(b"host", host)], b""))


@pytest.mark.parametrize("field", FORGED)
def test_no_forged_field_reaches_the_client(field: tuple[bytes, bytes]) -> None:
    """A field that a worker never sends is refused when it comes from Redis, also among valid fields."""
    with pytest.raises(TargetError):
        check_relayed_response(200, [(b"server", b"x"), field, (b"x-last", b"")], 1000)


@given(st.lists(st.tuples(kept_names.filter(lambda name: name.lower() != b"content-length"), visible)))
def test_valid_fields_are_accepted_from_redis(fields: Fields) -> None:
    """Fields that a gateway queues, or a worker sends, are accepted at the other end."""
    check_queued_request(Request("GET", b"/", fields, b""))
    check_relayed_response(200, fields, 1_000_000)


@pytest.mark.parametrize("value", ["a\tä".encode(), b"\xe4", b"\xff\x80", b""])
def test_value_of_any_other_bytes(value: bytes) -> None:
    """A value beyond ASCII passes whatever its encoding, tabs included."""
    fields = [(b"x-field", value)]
    assert end_to_end_request_fields(fields) == fields


def test_refusal_does_not_show_the_value() -> None:
    """An error about a field does not show its value, which may be a credential."""
    with pytest.raises(MalformedRequest) as caught:
        end_to_end_request_fields([(b"authorization", b"hush\x00")])
    assert "hush" not in caught.value.detail


@pytest.mark.parametrize(
    "fields",
    [
        [HOST],
        [HOST, (b"content-length", b"0")],
        [HOST, (b"Content-Length", b"12")],
        [HOST, (b"transfer-encoding", b"chunked")],
        [HOST, (b"Transfer-Encoding", b" Chunked")],
        [(b"host", b"")],
        [(b"host", b"api.example:8080")],
        [(b"host", b"[2001:db8::1]:8080")],
        [(b"host", b"a%2Fb_c~!$&'()*+,;=")],
    ],
)
def test_framing_accepted(fields: Fields) -> None:
    """A request whose length can be read in one way only is accepted."""
    check_request_framing("POST", fields, http_version="1.1")


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        pytest.param([], "1.1", id="no Host"),
        pytest.param([HOST, HOST], "1.1", id="two Hosts"),
        pytest.param([HOST, (b"Host", b"other")], "1.0", id="two Hosts, HTTP/1.0"),
        pytest.param([], "0.9", id="HTTP/0.9"),
        pytest.param([(b"host", b"a b")], "1.1", id="a blank in Host"),
        pytest.param([(b"host", b'a"b')], "1.1", id="a quote in Host"),
        pytest.param([(b"host", b"a/b")], "1.1", id="a path in Host"),
        pytest.param([(b"host", b"me@a")], "1.1", id="a user in Host"),
        pytest.param([(b"host", b"a:b")], "1.1", id="a port in Host that is no number"),
        pytest.param([(b"host", b"a\r\n")], "1.1", id="a line end in Host"),
        pytest.param([(b"host", b"\xe4")], "1.1", id="raw bytes in Host"),
        pytest.param([(b"host", b"2001:db8::1")], "1.1", id="an IPv6 Host without brackets"),
        pytest.param([HOST, (b"content-length", b"1"), (b"transfer-encoding", b"chunked")], "1.1", id="two lengths"),
        pytest.param([HOST, (b"transfer-encoding", b"chunked")], "1.0", id="chunked in HTTP/1.0"),
        pytest.param([HOST, (b"transfer-encoding", b"gzip, chunked")], "1.1", id="a coding before chunked"),
        pytest.param([HOST, (b"transfer-encoding", b"gzip"), (b"transfer-encoding", b"chunked")], "1.1", id="two TEs"),
        pytest.param([HOST, (b"transfer-encoding", b"identity")], "1.1", id="identity"),
        pytest.param([HOST, (b"transfer-encoding", b"\x0bchunked")], "1.1", id="disguised chunked"),
        pytest.param([HOST, (b"content-length", b"1"), (b"content-length", b"1")], "1.1", id="repeated length"),
        pytest.param([HOST, (b"content-length", b"1, 1")], "1.1", id="list of lengths"),
        pytest.param([HOST, (b"content-length", b"+1")], "1.1", id="signed length"),
        pytest.param([HOST, (b"content-length", b"-1")], "1.1", id="negative length"),
        pytest.param([HOST, (b"content-length", b"0x1")], "1.1", id="hexadecimal length"),
        pytest.param([HOST, (b"content-length", b"")], "1.1", id="empty length"),
    ],
)
def test_framing_refused(fields: Fields, version: str) -> None:
    """A request that another parser could read differently is refused."""
    with pytest.raises(MalformedRequest):
        check_request_framing("POST", fields, http_version=version)


def test_http_1_0_without_host() -> None:
    """A request of HTTP/1.0 needs no Host field."""
    check_request_framing("GET", [], http_version="1.0")


def test_connect() -> None:
    """CONNECT is refused: a tunnel would lead past the queue."""
    with pytest.raises(MalformedRequest, match="CONNECT"):
        check_request_framing("CONNECT", [HOST], http_version="1.1")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [([HOST], None), ([HOST, (b"Content-Length", b"12")], 12), ([(b"content-length", b"0")], 0)],
)
def test_content_length(fields: Fields, expected: int | None) -> None:
    """The declared length is the Content-Length, and None without one."""
    assert content_length(fields) == expected


def test_content_length_with_thousands_of_digits() -> None:
    """A Content-Length with more digits than Python converts is refused as the client's error."""
    fields = [HOST, (b"content-length", b"9" * 5000)]
    try:
        check_request_framing("POST", fields, http_version="1.1")
    except MalformedRequest:
        return
    length = content_length(fields)
    assert length is not None
    assert length > 2**63


@pytest.mark.parametrize(
    ("fields", "expected"),
    [([HOST], b"gateway"), ([(b"accept", b"*/*"), (b"Host", b"a:1")], b"a:1"), ([], b"")],
)
def test_host(fields: Fields, expected: bytes) -> None:
    """The requested host is the value of Host, and empty without one."""
    assert host_of(fields) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([HOST], False),
        ([HOST, (b"Content-Length", b"0")], False),
        ([HOST, (b"Content-Length", b"000")], False),
        ([HOST, (b"Content-Length", b"10")], True),
        ([HOST, (b"Transfer-Encoding", b"chunked")], True),
    ],
)
def test_has_body(fields: Fields, expected: bool) -> None:
    """A request has a body if, and only if, its fields give it a length of one byte or more, or chunks."""
    assert has_body(fields) is expected
