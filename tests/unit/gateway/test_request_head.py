"""What the head of a request means for the gateway."""

import pytest

from fast_priority.errors import LoopDetected, MalformedRequest
from fast_priority.gateway.request_head import head_reader
from fast_priority.http.forwarding import Hop
from fast_priority.http.message import Fields
from fast_priority.http.trusted_proxies import TrustedProxies

PROXY = Hop("10.0.0.1", "http", "1.1")
CLIENT = Hop("192.0.2.7", "http", "1.1")
NAMES = (b"fast-priority-0123456789abcdef", b"fast-priority-fedcba9876543210")
HOST = (b"host", b"api.example")
FOR = b"x-forwarded-for"

read_head = head_reader(TrustedProxies.of(["10.0.0.0/8"]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hop", [PROXY, CLIENT])
def test_a_loop_is_refused(name: bytes, hop: Hop) -> None:
    """A request that has passed this deployment is refused, under its present name or a former one."""
    with pytest.raises(LoopDetected):
        read_head([HOST, (b"via", b"1.1 one, 1.1 " + name)], "GET", hop, NAMES)


def test_others_in_via() -> None:
    """A request that has passed another deployment goes on, with the present name added."""
    via = (b"via", b"1.1 fast-priority-aaaaaaaaaaaaaaaa")
    onward = read_head([HOST, via], "GET", CLIENT, NAMES).onward
    assert [value for name, value in onward if name == b"via"] == [via[1], b"1.1 " + NAMES[0]]


def test_a_bad_head_is_refused_before_a_loop() -> None:
    """A head that can be read in two ways is refused as malformed, also if it has passed this deployment."""
    fields = [HOST, (b"via", b"1.1 " + NAMES[0]), (b"content-length", b"1"), (b"content-length", b"2")]
    with pytest.raises(MalformedRequest):
        read_head(fields, "POST", CLIENT, NAMES)


@pytest.mark.parametrize(("hop", "stated"), [(PROXY, b"6.6.6.6, 10.0.0.1"), (CLIENT, b"192.0.2.7")])
def test_fields_of_a_trusted_proxy_only(hop: Hop, stated: bytes) -> None:
    """A head is read for its peer: what a trusted proxy states is never taken from another peer."""
    fields: Fields = [HOST, (FOR, b"6.6.6.6")]
    for _ in range(2):
        assert (FOR, stated) in read_head(fields, "GET", hop, NAMES).onward


@pytest.mark.parametrize(
    ("fields", "declared_bytes"),
    [([], 0), ([(b"content-length", b"7")], 7), ([(b"transfer-encoding", b"chunked")], None)],
)
def test_declared_length(fields: Fields, declared_bytes: int | None) -> None:
    """The length of the body is the declared one, 0 without a body, and None in chunks."""
    assert read_head([HOST, *fields], "POST", CLIENT, NAMES).declared_bytes == declared_bytes


@pytest.mark.parametrize(("http_version", "expects"), [("1.1", True), ("1.0", False)])
def test_expecting_100_continue(http_version: str, expects: bool) -> None:
    """A client of HTTP/1.1 may wait for 100 Continue; one of HTTP/1.0 does not."""
    fields = [HOST, (b"content-length", b"7"), (b"expect", b"100-continue")]
    assert read_head(fields, "POST", Hop("192.0.2.7", "http", http_version), NAMES).expects_continue is expects
