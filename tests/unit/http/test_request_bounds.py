"""Where the requests of a client begin and end."""

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fast_priority.errors import MalformedRequest
from fast_priority.http.request_bounds import RequestBounds

MOST_BYTES = 8192
HEAD = b"Host: x\r\n\r\n"

REQUESTS = [
    b"GET / HTTP/1.1\r\n" + HEAD,
    b"GET /?a=%00 HTTP/1.0\r\nConnection: keep-alive\r\n" + HEAD,
    b"\r\n\r\nGET /blank HTTP/1.1\r\n" + HEAD,
    b"POST /length HTTP/1.1\r\nContent-Length: 21\r\n" + HEAD + b"GET /x RTSP/1.0\r\n\r\n\r\n",
    b"POST /none HTTP/1.1\r\nContent-Length: 0\r\n" + HEAD,
    b"POST /chunks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    + HEAD
    + b"4\r\n\r\n\r\n\r\n6;x=1\r\n0\r\n\r\nG\r\n0\r\n\r\n",
    b"POST /trailers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HEAD + b"1\r\na\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
    b"PUT /no-chunk HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HEAD + b"0\r\n\r\n",
]


class Parsing:
    """Reads a client's bytes as the protocol does: with the parser, piece by piece."""

    def __init__(self) -> None:
        self.bounds = RequestBounds()
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.pieces: list[bytes] = []
        self.bodies: list[bytes] = []
        self.complete = 0
        self.bounds.begin()

    def feed(self, data: bytes) -> None:
        while data:
            count = self.bounds.next_piece(data, MOST_BYTES)
            assert 1 <= count <= len(data)
            self.pieces.append(data[:count])
            self.parser.feed_data(data[:count])
            data = data[count:]

    def feed_in_two(self, data: bytes, position: int) -> None:
        self.feed(data[:position])
        self.feed(data[position:])

    def on_message_begin(self) -> None:
        self.bounds.check_is_given()
        self.bodies.append(b"")
        self._fields: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.bounds.check_line()
        self.bounds.begin_body(self._fields)

    def on_body(self, body: bytes) -> None:
        self.bodies[-1] += body

    def on_message_complete(self) -> None:
        self.complete += 1
        self.bounds.begin()


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6), st.lists(st.integers(1, 60), min_size=1, max_size=30)
)
def test_no_piece_has_bytes_of_two_requests(requests: list[bytes], sizes: list[int]) -> None:
    """The parser gets each request by itself, also if requests are pipelined or come in pieces of any size."""
    parsing, unread, number = Parsing(), b"".join(requests), 0
    while unread:
        size = sizes[number % len(sizes)]
        parsing.feed(unread[:size])
        unread, number = unread[size:], number + 1
    assert len(parsing.bodies) == len(requests)
    ends, end = [], 0
    for request in requests:
        end += len(request)
        ends.append(end)
    cuts, at = set(), 0
    for piece in parsing.pieces:
        at += len(piece)
        cuts.add(at)
    assert set(ends) <= cuts


@pytest.mark.parametrize("request_number", range(len(REQUESTS)))
def test_every_split_is_read_alike(request_number: int) -> None:
    """A request between two others is read in the same way wherever it is split."""
    first, sent = REQUESTS[0], REQUESTS[request_number]
    whole = first + sent + first
    reference = Parsing()
    reference.feed(whole)
    for position in range(1, len(whole)):
        parsing = Parsing()
        parsing.feed_in_two(whole, position)
        assert parsing.bodies == reference.bodies


LINES = [
    b"GET /x RTSP/1.0", b"POST /x RTSP/1.0", b"OPTIONS * RTSP/1.0", b"ANNOUNCE /x RTSP/1.0", b"SETUP /x RTSP/1.1",
    b"SOURCE /x ICE/1.0", b"GET /x HTTP/2.0", b"GET /x HTTP/0.9", b"GET /x", b"GET  /x HTTP/1.1", b"GET /x  HTTP/1.1",
    b"\nGET /x HTTP/1.1", b"\rGET /x HTTP/1.1", b"\r\n\nGET /x HTTP/1.1",
]  # fmt: skip


@pytest.mark.parametrize("line", LINES)
def test_another_protocols_line_is_refused(line: bytes) -> None:
    """A line that is not exactly a request line of HTTP/1.1 or 1.0 is refused, at every split, also as a second one."""
    for before in (b"", REQUESTS[0], REQUESTS[3], REQUESTS[5]):
        for position in range(len(line) + 1):
            sent = before + line + b"\r\n" + HEAD
            parsing = Parsing()
            with pytest.raises(httptools.HttpParserError):
                parsing.feed_in_two(sent, len(before) + position)
            assert parsing.complete == bool(before)


def test_a_request_that_ends_elsewhere_is_refused() -> None:
    """If the parser begins a request inside a piece, the request is refused."""
    bounds = RequestBounds()
    bounds.next_piece(b"GET / HTTP/1.1\r\n", MOST_BYTES)
    bounds.check_is_given()
    bounds.begin()
    with pytest.raises(MalformedRequest):
        bounds.check_is_given()


def test_little_is_kept() -> None:
    """Between two pieces of a body in chunks, only a few bytes are kept."""
    bounds = RequestBounds()
    bounds.next_piece(REQUESTS[5][:80], MOST_BYTES)
    bounds.begin_body([(b"transfer-encoding", b"chunked")])
    for _ in range(100):
        assert bounds.next_piece(b"x" * 100_000, MOST_BYTES) == MOST_BYTES
    assert len(bounds._line) + len(bounds._last_bytes) < 100
