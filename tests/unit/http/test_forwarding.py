"""The fields that the gateway adds, and those that it lets others set."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.errors import MalformedRequest
from fast_priority.http.forwarding import Hop, onward_request_fields, onward_response_fields
from fast_priority.http.message import Fields

HOST = (b"host", b"api.example:8080")
CLIENT = "192.0.2.7"
NAME = b"fast-priority-0123456789abcdef"
SPOOFABLE = [
    b"Forwarded", b"X-Forwarded-For", b"X-Forwarded-Host", b"X-Forwarded-Proto", b"X-Forwarded-Port",
    b"X-Forwarded-Server", b"X-Forwarded-Prefix", b"X-Forwarded-Ssl", b"X-Forwarded-User", b"X-Forwarded", b"X-Real-IP",
    b"X-Original-URL", b"X-Rewrite-URL", b"X-Original-URI", b"X_Original_URL",
]  # fmt: skip


def hop(peer: str | None = CLIENT, scheme: str = "http", http_version: str = "1.1") -> Hop:
    return Hop(peer, scheme, http_version)


def onward(fields: Fields, came: Hop | None = None, *, is_peer_trusted: bool = False) -> Fields:
    return onward_request_fields(fields, came or hop(), NAME, is_peer_trusted=is_peer_trusted)


def onward_with_host(fields: Fields) -> Fields:
    return onward_request_fields(fields, hop(), NAME, is_peer_trusted=False, preserves_host=True)


def values(fields: Fields, name: bytes) -> list[bytes]:
    return [value for found, value in fields if found == name]


@pytest.mark.parametrize(
    "fields",
    [
        [HOST],
        [(b"x-a", b"1"), (b"HOST", HOST[1])],
        [HOST, (b"x-forwarded-host", b"evil.example")],
        [(b"connection", b"host"), HOST],
    ],
)
def test_the_host_of_the_client(fields: Fields) -> None:
    """If Host is preserved, the target gets the client's, once and in front, and the same in X-Forwarded-Host."""
    seen = onward_with_host(fields)
    assert seen[0] == (b"host", HOST[1])
    assert values(seen, b"host") == values(seen, b"x-forwarded-host") == [HOST[1]]


def test_no_host_to_preserve() -> None:
    """Of a request without Host, in HTTP/1.0, the target gets none from the gateway's fields: it gets its own."""
    assert values(onward_with_host([(b"x-a", b"1")]), b"host") == []


def test_what_is_added_to_a_bare_request() -> None:
    """The target gets the client's address, the host and scheme that it used, and the gateway's Via."""
    assert onward([HOST]) == [
        (b"x-forwarded-for", b"192.0.2.7"),
        (b"x-forwarded-host", b"api.example:8080"),
        (b"x-forwarded-proto", b"http"),
        (b"forwarded", b'for=192.0.2.7;host="api.example:8080";proto=http'),
        (b"via", b"1.1 " + NAME),
    ]


@given(st.lists(st.tuples(st.sampled_from([b"accept", b"X-Any", b"x-many"]), st.sampled_from([b"", b"1", b"\xff"]))))
def test_other_fields_stay_in_front(fields: Fields) -> None:
    """All other fields come first, as they were and in their order."""
    assert onward([HOST, *fields])[: len(fields)] == fields


@pytest.mark.parametrize("name", SPOOFABLE)
@pytest.mark.parametrize("spell", [bytes.lower, bytes.upper, lambda name: name.replace(b"-", b"_")])
def test_a_client_cannot_forge_its_origin(name: bytes, spell: type[bytes]) -> None:
    """Fields of an untrusted peer that state where a request comes from are dropped, also with underscores."""
    assert onward([HOST, (spell(name), b"6.6.6.6"), (spell(name), b"7.7.7.7")]) == onward([HOST])


@pytest.mark.parametrize("name", [b"x-forwardedfor", b"x-forward-for", b"forwarded-for", b"x-real-ipv6", b"via-x"])
def test_similar_names_are_forwarded(name: bytes) -> None:
    """A field whose name only resembles those is forwarded."""
    assert (name, b"1") in onward([HOST, (name, b"1")])


def test_fields_of_a_trusted_proxy() -> None:
    """The fields of a trusted proxy are kept, its own address is added, and its host and scheme stay."""
    said = [
        (b"X-Forwarded-For", b"198.51.100.1"),
        (b"x-forwarded-host", b"public.example"),
        (b"x-forwarded-proto", b"https"),
        (b"forwarded", b"for=198.51.100.1;proto=https"),
        (b"x-forwarded-port", b"443"),
        (b"x-real-ip", b"198.51.100.1"),
    ]
    sent = onward([HOST, *said], is_peer_trusted=True)
    assert {name: values(sent, name) for name, _ in sent} == {
        b"x-forwarded-for": [b"198.51.100.1, 192.0.2.7"],
        b"x-forwarded-host": [b"public.example"],
        b"x-forwarded-proto": [b"https"],
        b"forwarded": [b"for=198.51.100.1;proto=https", b'for=192.0.2.7;host="api.example:8080";proto=http'],
        b"x-forwarded-port": [b"443"],
        b"x-real-ip": [b"198.51.100.1"],
        b"via": [b"1.1 " + NAME],
    }


def test_a_trusted_proxy_without_fields() -> None:
    """A trusted proxy that sets no such field counts as the client."""
    assert onward([HOST], is_peer_trusted=True) == onward([HOST])


def test_addresses_stand_on_one_line() -> None:
    """Several X-Forwarded-For lines of a trusted proxy become one, in order, empty ones left out."""
    said = [(b"x-forwarded-for", b"1.1.1.1, 2.2.2.2"), (b"x-forwarded-for", b""), (b"x-forwarded-for", b"3.3.3.3")]
    sent = onward([HOST, *said], is_peer_trusted=True)
    assert values(sent, b"x-forwarded-for") == [b"1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.7"]


@pytest.mark.parametrize("name", [b"X_Forwarded_For", b"x-forwarded_user", b"x_real_ip"])
def test_underscores_are_never_trusted(name: bytes) -> None:
    """No proxy writes these names with underscores, so they are not forwarded even for a trusted one."""
    assert onward([HOST, (name, b"6.6.6.6")], is_peer_trusted=True) == onward([HOST])


def test_connection_cannot_remove_a_proxys_fields() -> None:
    """A client that names X-Forwarded-For in Connection does not remove the field of the proxy in front."""
    fields = [
        HOST,
        (b"connection", b"x-forwarded-for, x-secret"),
        (b"x-forwarded-for", b"1.1.1.1"),
        (b"x-secret", b"1"),
    ]
    sent = onward(fields, is_peer_trusted=True)
    assert values(sent, b"x-forwarded-for") == [b"1.1.1.1, 192.0.2.7"]
    assert values(sent, b"x-secret") == []


def test_connection_cannot_remove_the_gateways_fields() -> None:
    """A client that names the gateway's own fields in Connection does not keep them from the target."""
    assert onward([HOST, (b"connection", b"forwarded, via, x-forwarded-for")]) == onward([HOST])


@pytest.mark.parametrize("connection", [b"close", b"x-forwarded-for"])
def test_a_proxys_fields_are_checked(connection: bytes) -> None:
    """A control character is refused in a trusted proxy's fields, too."""
    with pytest.raises(MalformedRequest):
        onward([HOST, (b"connection", connection), (b"x-forwarded-for", b"1.1.1.1\r\nx: y")], is_peer_trusted=True)


def test_the_host_is_checked() -> None:
    """A control character is refused in the host, which would end a field that names it."""
    with pytest.raises(MalformedRequest):
        onward([(b"host", b"a\r\nx: y")])


@pytest.mark.parametrize(
    ("peer", "address", "node"),
    [
        ("192.0.2.7", b"192.0.2.7", b"192.0.2.7"),
        ("2001:DB8:0::1", b"2001:db8::1", b'"[2001:db8::1]"'),
        ("::ffff:192.0.2.7", b"192.0.2.7", b"192.0.2.7"),
        ("fe80::1%eth0", b"fe80::1", b'"[fe80::1]"'),
    ],
)
def test_the_clients_address(peer: str, address: bytes, node: bytes) -> None:
    """The address is plain in X-Forwarded-For; in Forwarded an IPv6 one is bracketed and quoted."""
    sent = onward([], hop(peer))
    assert values(sent, b"x-forwarded-for") == [address]
    assert values(sent, b"forwarded") == [b"for=" + node + b";proto=http"]


def test_client_without_address() -> None:
    """A client without an address is `unknown` in Forwarded and not named in X-Forwarded-For."""
    sent = onward([(b"x-forwarded-for", b"6.6.6.6")], hop(None))
    assert values(sent, b"x-forwarded-for") == []
    assert values(sent, b"forwarded") == [b"for=unknown;proto=http"]


@pytest.mark.parametrize(
    ("host", "parameter"),
    [
        (b"api.example", b"api.example"),
        (b"api.example:80", b'"api.example:80"'),
        (b"[::1]:80", b'"[::1]:80"'),
        (b'a"b\\c', b'"a\\"b\\\\c"'),
    ],
)
def test_the_host_in_forwarded(host: bytes, parameter: bytes) -> None:
    """The host is quoted in Forwarded where it is not a token, and plain in X-Forwarded-Host."""
    sent = onward([(b"Host", host)])
    assert values(sent, b"forwarded") == [b"for=192.0.2.7;host=" + parameter + b";proto=http"]
    assert values(sent, b"x-forwarded-host") == [host]


@pytest.mark.parametrize("fields", [[], [(b"host", b"")]])
def test_request_without_host(fields: Fields) -> None:
    """To a request without a host, none is added."""
    sent = onward(fields)
    assert values(sent, b"x-forwarded-host") == []
    assert values(sent, b"forwarded") == [b"for=192.0.2.7;proto=http"]


def test_the_scheme() -> None:
    """The scheme is the one that the client used."""
    sent = onward([], hop(scheme="https"))
    assert values(sent, b"x-forwarded-proto") == [b"https"]
    assert values(sent, b"forwarded") == [b"for=192.0.2.7;proto=https"]


@pytest.mark.parametrize("is_peer_trusted", [False, True])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_via_on_requests(version: str, is_peer_trusted: bool) -> None:
    """The gateway is the last in Via, with the version of the client's request."""
    sent = onward([HOST, (b"via", b"1.0 one, 1.1 two")], hop(http_version=version), is_peer_trusted=is_peer_trusted)
    assert values(sent, b"via") == [b"1.0 one, 1.1 two", version.encode() + b" " + NAME]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_via_on_responses(version: str) -> None:
    """The gateway is the last in a response's Via, with the version of the target's response."""
    fields = [(b"Via", b"1.1 cache"), (b"ETag", b"1")]
    assert onward_response_fields(fields, version, NAME) == [*fields, (b"via", version.encode() + b" " + NAME)]


@pytest.mark.parametrize(
    ("client", "peer", "address"),
    [
        (("192.0.2.7", 5), "192.0.2.7", "192.0.2.7"),
        (("::ffff:192.0.2.7", 5), "::ffff:192.0.2.7", "192.0.2.7"),
        (("testclient", 5), "testclient", None),
        (None, None, None),
    ],
)
def test_hop_of_a_scope(client: object, peer: str | None, address: str | None) -> None:
    """The hop is read from the ASGI scope, with the peer's address if it has one."""
    found = Hop.of({"client": client, "scheme": "https", "http_version": "1.0"})
    assert found == Hop(peer, "https", "1.0")
    assert found.address == (ip_address(address) if address else None)
