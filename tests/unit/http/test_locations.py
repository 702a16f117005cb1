"""Location and Content-Location: which of them lead to the target itself, and what clients get instead."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fast_priority.http.locations import LocationRewriter
from fast_priority.http.message import Fields

TARGET = "http://inner.example:8080"
paths = st.text("/.\\ab%2eEfF?#:@\t", max_size=20).map(str.encode)


def for_client(value: bytes, base_url: str = TARGET, root_path: str = "") -> bytes:
    """Return the Location that a client gets."""
    ((_, written),) = LocationRewriter(base_url).fields_for_client([(b"location", value)], root_path)
    return written


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        (TARGET, b"http://inner.example:8080"),
        (TARGET, b"HTTP://inner.example:8080"),
        (TARGET, b"http://INNER.Example:8080"),
        (TARGET, b"http://inner.example.:8080"),
        (TARGET, b"http://inner.example:08080"),
        (TARGET, b"http://%69nner%2Eexample:8080"),
        (TARGET, b"http://\xef\xbd\x89nner.example:8080"),  # a wide letter, which browsers read as the plain one
        (TARGET, b"http://inner\xe3\x80\x82example:8080"),  # an ideographic full stop
        (TARGET, b"//inner.example:8080"),
        ("HTTP://Inner.Example.:8080", b"http://inner.example:8080"),
        ("http://inner", b"http://inner"),
        ("http://inner", b"http://inner:"),
        ("http://inner", b"http://inner:80"),
        ("http://inner:80", b"http://inner"),
        ("http://inner:", b"http://inner:80"),
        ("https://inner", b"https://inner:443"),
        ("https://inner:443", b"//inner"),
        ("http://127.0.0.1:1", b"http://127.0.0.1:1"),
        ("http://[::1]:1", b"http://[0:0:0:0:0:0:0:1]:1"),
        ("http://[2001:DB8:0::a]", b"http://[2001:db8::A]:80"),
        ("http://[::ffff:192.0.2.7]", b"http://[::FFFF:c000:0207]"),
        ("http://[fe80::1%25eth0]", b"http://[fe80:0::1%25eth0]"),
        ("http://bücher.example", b"http://xn--bcher-kva.example"),
        ("http://xn--bcher-kva.example", "http://BÜCHER.example".encode()),
        ("http://xn--bcher-kva.example", b"http://XN--Bcher-KVA.example"),
        ("http://xn--bcher-kva.example", b"http://b%C3%BCcher.example"),
        ("http://b%c3%bccher.example", b"http://xn--bcher-kva.example"),
        ("http://xn--strae-oqa.example", "http://straße.example".encode()),
    ],
)
def test_the_targets_own_origin(base_url: str, origin: bytes) -> None:
    """A URL of the target's origin becomes a path, however its scheme, host and port are spelled."""
    assert for_client(origin + b"/items/?a=1#b", base_url) == b"/items/?a=1#b"


@pytest.mark.parametrize(
    ("base_url", "value"),
    [
        (TARGET, b"https://inner.example:8080/x"),  # another scheme
        (TARGET, b"http://inner.example/x"),
        (TARGET, b"http://inner.example:80800/x"),
        (TARGET, b"//inner.example/x"),
        (TARGET, b"http://inner.example.org:8080/x"),
        (TARGET, b"http://x.inner.example:8080/x"),
        (TARGET, b"http://inner.example..:8080/x"),
        (TARGET, b"http://inner%2Fexample:8080/x"),
        (TARGET, b"http://me@inner.example:8080/x"),
        (TARGET, b"http://@inner.example:8080/x"),
        (TARGET, b"http://inner.example:8080@evil.example/x"),
        (TARGET, b"http://inner.example:8080\\@evil.example/x"),
        (TARGET, b"//me@inner.example:8080/x"),
        (TARGET, b"ftp://inner.example:8080/x"),
        (TARGET, b"ws://inner.example:8080/x"),
        ("http://strasse.example", "http://straße.example/x".encode()),
        ("http://[::1]", b"http://[::2]/x"),
        ("http://[::ffff:192.0.2.7]", b"http://192.0.2.7/x"),
    ],
)
def test_another_origin(base_url: str, value: bytes) -> None:
    """A URL of another origin, or with a user in it, is not changed."""
    assert for_client(value, base_url, "/gw") == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"items/",
        b"./items/",
        b"../items/",
        b"?a=1",
        b"#b",
        b"urn:isbn:1",
        b"mailto:me@inner.example",
        b"a//inner.example:8080/x",
        b"?next=http://inner.example:8080/x",
    ],
)
@pytest.mark.parametrize("base_url", [TARGET, f"{TARGET}/v1"])
def test_relative_references(base_url: str, value: bytes) -> None:
    """A reference that is relative to the request's path, or names no place of HTTP, is not changed."""
    assert for_client(value, base_url, "/gw") == value


@pytest.mark.parametrize(
    "value",
    [
        b"http:",
        b"http:/",
        b"http://",
        b"http:///x",
        b"http:/inner.example:8080/x",
        b"http:inner.example:8080/x",
        b"http:\\\\inner.example:8080\\x",
        b"http://inner.example:8080x/x",
        b"http://inner.example:-8080/x",
        b"http://inner.example:8080:8080/x",
        b"http://inner.example:000008080/x",
        b"http://[inner.example]:8080/x",
        b"http://[::1/x",
        b"http://[v1.x]/x",
        b"http://inner\xff.example:8080/x",
        b"http://inner.example:8080/\\evil.example/x",
        b"http://inner.example:8080/\t/evil.example/x",
        b"http://inner.ex\tample:8080/x",
        b"http://" + b"\xc3\xbc" * 2000 + b"/x",
        b"/\\evil.example/x",
        b"/\t/evil.example/x",
    ],
)
def test_malformed_values(value: bytes) -> None:
    """A value that clients read in different ways, or not at all, is not changed."""
    assert for_client(value, root_path="/gw") == value


@pytest.mark.parametrize(
    ("path", "below"),
    [
        (b"", b"/"),
        (b"/", b"/"),
        (b"?a=1", b"/?a=1"),
        (b"#b", b"/#b"),
        (b"/a%2Fb;c=%zz/", b"/a%2Fb;c=%zz/"),
        (b"/a b/\xc3\xa9", b"/a b/\xc3\xa9"),
        (b"/a?b=%20/../c//d?e\\#f/../g%", b"/a?b=%20/../c//d?e\\#f/../g%"),
        (b"/a#b?c", b"/a#b?c"),
        (b"/a?", b"/a?"),
        (b"/a#", b"/a#"),
        (b"/a/../b", b"/b"),
        (b"/../b", b"/b"),
        (b"/a/./b/.", b"/a/b/"),
        (b"/a/%2E%2e/b/..", b"/"),
        (b"/...", b"/..."),
    ],
)
def test_path_query_and_fragment(path: bytes, below: bytes) -> None:
    """Path, query and fragment are kept byte for byte, except that dot segments of the path are resolved."""
    assert for_client(b"http://inner.example:8080" + path) == below


@pytest.mark.parametrize("origin", [b"", b"http://inner.example:8080", b"//inner.example:8080"])
@pytest.mark.parametrize(
    ("base", "path", "below"),
    [
        ("/v1", b"/v1/items/?a=/v1", b"/items/?a=/v1"),
        ("/v1/", b"/v1/items/", b"/items/"),
        ("/v1", b"/v1", b"/"),
        ("/v1", b"/v1/", b"/"),
        ("/v1", b"/v1?a=1", b"/?a=1"),
        ("/v1", b"/v1#b", b"/#b"),
        ("/v1", b"/v1/v1/a", b"/v1/a"),
        ("/v1", b"/%761/a%2Fb", b"/a%2Fb"),
        ("/v1", b"/x/../v1/a", b"/a"),
        ("/v1", b"/v1/a/../b", b"/b"),
        ("/a/b", b"/a/b/c", b"/c"),
        ("/a%2Fb", b"/a%2fb/c", b"/c"),
        ("/é", b"/%C3%A9/c", b"/c"),
        ("/%C3%A9", b"/\xc3\xa9/c", b"/c"),
    ],
)
def test_below_the_base_path(origin: bytes, base: str, path: bytes, below: bytes) -> None:
    """Of a path below that of the base URL, the base path is removed, in every spelling."""
    assert for_client(origin + path, TARGET + base) == below


@pytest.mark.parametrize("origin", [b"", b"http://inner.example:8080", b"//inner.example:8080"])
@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("/v1", b"/"),
        ("/v1", b"/v10/items"),
        ("/v10", b"/v1/0/items"),
        ("/v1", b"/V1/items"),
        ("/v1", b"/v1;a/items"),
        ("/v1", b"/v1%2Fitems"),
        ("/v1", b"/items/v1/"),
        ("/v1", b"/v1/../admin"),
        ("/v1", b"/v1/%2e%2E/admin"),
        ("/a/b", b"/a"),
        ("/a%2Fb", b"/a/b/c"),
    ],
)
def test_outside_the_base_path(origin: bytes, base: str, path: bytes) -> None:
    """A place at the target that is not below the base URL cannot be reached through the gateway, and is kept."""
    assert for_client(origin + path, TARGET + base, "/gw") == origin + path


@pytest.mark.parametrize(
    ("root_path", "prefix"),
    [
        ("/gw", b"/gw"),
        ("/gw/", b"/gw"),
        ("gw", b"/gw"),
        ("/a/b", b"/a/b"),
        ("/a b/é?%", b"/a%20b/%C3%A9%3F%25"),
        ("//evil.example", b"/evil.example"),
        ("/\\evil.example", b"/%5Cevil.example"),
        ("/", b""),
        ("", b""),
    ],
)
@pytest.mark.parametrize("value", [b"http://inner.example:8080/v1/items/", b"/v1/items/"])
def test_below_a_prefix(value: bytes, root_path: str, prefix: bytes) -> None:
    """The prefix at which clients see the gateway stands in front, percent-encoded."""
    assert for_client(value, f"{TARGET}/v1", root_path) == prefix + b"/items/"


def test_a_path_below_a_prefix_without_a_base_path() -> None:
    """A path gets the prefix in front also if the base URL has no path."""
    assert for_client(b"/items/?a=1", root_path="/gw") == b"/gw/items/?a=1"


@pytest.mark.parametrize("value", [b"/items/", b"/a/../b", b"/.//evil.example", b"/%2e/b", b"/"])
def test_a_path_that_is_the_same_for_clients(value: bytes) -> None:
    """Without a base path and a prefix, a path is kept byte for byte."""
    assert for_client(value) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"http://inner.example:8080/v1//evil.example/x", b"/.//evil.example/x"),
        (b"//inner.example:8080/v1//evil.example/x", b"/.//evil.example/x"),
        (b"/v1//evil.example/x", b"/.//evil.example/x"),
        (b"/v1/.//evil.example/x", b"/.//evil.example/x"),
        (b"/v1/a/..//evil.example/x", b"/.//evil.example/x"),
        (b"/v1////evil.example/x", b"/.////evil.example/x"),
    ],
)
def test_no_path_becomes_a_host(value: bytes, written: bytes) -> None:
    """A path that begins with two slashes stays a path: clients do not read its first segment as a host."""
    assert for_client(value, f"{TARGET}/v1") == written
    assert urlsplit(urljoin("http://gateway/a", written.decode())).netloc == "gateway"


def test_below_a_prefix_no_path_begins_with_two_slashes() -> None:
    """With the prefix in front, empty segments need no dot before them."""
    assert for_client(b"http://inner.example:8080//evil.example/x", root_path="/gw") == b"/gw//evil.example/x"


@given(paths, st.sampled_from(["", "/v1"]), st.sampled_from(["", "/gw", "/"]))
def test_no_value_of_the_target_leaves_the_gateway(path: bytes, base: str, root_path: str) -> None:
    """Whatever follows the base URL, what is rewritten is one path of the gateway, to all clients."""
    value = f"{TARGET}{base}/".encode() + path
    written = for_client(value, TARGET + base, root_path)
    if written != value:
        resolved = urlsplit(urljoin("http://gateway/a", written.decode("latin-1").replace("\\", "/")))
        assert written.startswith(b"/")
        assert b"\t" not in written
        assert (resolved.scheme, resolved.netloc) == ("http", "gateway")


def test_all_fields_that_name_a_place() -> None:
    """Location and Content-Location are rewritten, in any case and each line; all other fields are kept, in order."""
    url, path = b"http://inner.example:8080/a", b"/a"
    fields: Fields = [
        (b"Link", b"<%b>; rel=next" % url),
        (b"Location", url),
        (b"CONTENT-LOCATION", url),
        (b"set-cookie", b"a=1; Domain=inner.example; Path=/v1"),
        (b"content-location", url),
        (b"refresh", b"0; url=" + url),
        (b"x-location", url),
    ]
    assert LocationRewriter(TARGET).fields_for_client(fields, "") == [
        fields[0],
        (b"Location", path),
        (b"CONTENT-LOCATION", path),
        fields[3],
        (b"content-location", path),
        *fields[5:],
    ]


def test_fields_without_a_place() -> None:
    """Without such a field, the list of fields itself is returned."""
    fields: Fields = [(b"content-type", b"text/plain"), (b"x-location", b"http://inner.example:8080/a")]
    assert LocationRewriter(TARGET).fields_for_client(fields, "/gw") is fields


def test_a_base_url_with_an_odd_host() -> None:
    """If the host of the base URL cannot be compared with others, only paths are rewritten."""
    assert for_client(b"/v1/a", "http://a\\b/v1") == b"/a"
    assert for_client(b"http://a\\b/v1/a", "http://a\\b/v1") == b"http://a\\b/v1/a"
