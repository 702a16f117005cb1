"""Malformed or ambiguous requests: refused, connection closed, nothing forwarded (RFC 9112)."""

from tests.acceptance.fidelity.case import Case, Group, Judge
from tests.acceptance.fidelity.judges import CLIENT_ERRORS, refused, refused_on_the_way
from tests.acceptance.fidelity.limits import FIELDS, FIELDS_BYTES, LINE_BYTES
from tests.acceptance.fidelity.wire import CHUNKED, HOST, OK, chunks, message, request, sized

_SMUGGLED = request(to=b"/smuggled")
_NOT_IMPLEMENTED, _VERSION_NOT_SUPPORTED = 501, 505
_HOST_LINE = b"Host: " + HOST


def _bad(name: str, sent: bytes, judge: Judge | None = None) -> Case:
    return Case(name, (sent,), (OK, OK), judge or refused())


def _post(*lines: bytes, body: bytes) -> bytes:
    return request(*lines, method=b"POST", body=body)


def _coding(value: bytes) -> Case:
    # RFC 9112, section 6.1, has 501 for codings that are not known.
    name = value.decode("ascii", "backslashreplace").replace("\r\n", "\\r\\n").replace("\x0b", "\\v")
    sent = _post(value, body=chunks(b"abc") + _SMUGGLED)
    return _bad(f"`{name}`", sent, refused(*CLIENT_ERRORS, _NOT_IMPLEMENTED))


def _length(name: str, *lines: bytes) -> Case:
    return _bad(f"`{name}`", _post(*lines, body=b"abc" + _SMUGGLED))


def _value(what: str, value: bytes) -> Case:
    return _bad(f"a value with {what}", request(b"X-Value: a" + value + b"b"))


def _name(what: str, line: bytes) -> Case:
    return _bad(f"a field name {what}", request(line))


def _chunk(what: str, body: bytes) -> Case:
    return _bad(f"chunks: {what}", _post(CHUNKED, body=body), refused_on_the_way())


_CODINGS = (
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: chunkedx",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: chunked;q=1",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding : chunked",
    b" Transfer-Encoding: chunked",
    b"Transfer-Encoding:",
)

_LENGTHS = (
    _bad(
        "Content-Length before Transfer-Encoding",
        _post(sized(chunks(b"abc")), CHUNKED, body=chunks(b"abc") + _SMUGGLED),
    ),
    _bad("Transfer-Encoding before Content-Length", _post(CHUNKED, b"Content-Length: 3", body=chunks() + _SMUGGLED)),
    _length("Content-Length: 3 twice", b"Content-Length: 3", b"Content-Length: 3"),
    _length("Content-Length: 3 and 5", b"Content-Length: 3", b"Content-Length: 5"),
    *(
        _length(line.decode().replace("\r\n", "\\r\\n"), line)
        for line in (
            b"Content-Length: 3, 3", b"Content-Length: 3, 5", b"Content-Length: +3", b"Content-Length: -3",
            b"Content-Length: 0x3", b"Content-Length: 3 3", b"Content-Length: 3.0", b"Content-Length:",
            b"Content-Length: 99999999999999999999999", b"Content-Length : 3",
            b"Content_Length: 3\r\nContent-Length: x",
        )
    ),
)  # fmt: skip
_LINES = (
    _bad("no Host", message(b"GET /x HTTP/1.1")),
    _bad("two Hosts", request(b"Host: other.example")),
    _bad("two Hosts that are the same", request(_HOST_LINE)),
    _bad("an HTTP/0.9 line", b"GET /x\r\n\r\n"),
    _bad("an HTTP/2.0 line", request(version=b"HTTP/2.0"), refused(*CLIENT_ERRORS, _VERSION_NOT_SUPPORTED)),
    _bad("a version that is none", request(version=b"HTTP/x.1"), refused(*CLIENT_ERRORS, _VERSION_NOT_SUPPORTED)),
    _bad("a version in lower case", request(version=b"http/1.1"), refused(*CLIENT_ERRORS, _VERSION_NOT_SUPPORTED)),
    _bad("an RTSP line", request(version=b"RTSP/1.0")),
    _bad("an ICE line", request(method=b"SOURCE", version=b"ICE/1.0")),
    _bad("two blanks before the path", request(to=b" /x")),
    _bad("two blanks after the path", request(to=b"/x ")),
    _bad("a blank in the path", request(to=b"/a b")),
    _bad("a control in the path", request(to=b"/a\x01b")),
    _bad("no method", b" /x HTTP/1.1\r\nHost: x\r\n\r\n"),
    _bad("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    _bad("lines that end with LF alone", request().replace(b"\r\n", b"\n")),
    _bad("one line that ends with LF alone", request(b"X-A: 1\nX-B: 2")),
    _bad("lines that end with CR alone", request(b"X-A: 1\rX-B: 2")),
    _bad("a folded line", request(b"X-A: 1\r\n 2")),
    _bad("a folded first line", message(b"GET /x HTTP/1.1", b" X-A: 1", _HOST_LINE)),
    _bad("a line without a colon", request(b"X-A")),
)
_CHARACTERS = (
    _value("NUL", b"\x00"),
    _value("CR", b"\r"),
    _value("LF", b"\n"),
    _value("another control", b"\x01"),
    _value("DEL", b"\x7f"),
    _name("followed by a blank", b"X-A : 1"),
    _name("with a blank", b"X A: 1"),
    _name("with brackets", b"X(A): 1"),
    _name("with NUL", b"X\x00A: 1"),
    _name("that is not ASCII", b"X\xc3\xa9: 1"),
    _name("that is empty", b": 1"),
)
_SIZES = (
    _bad("a request line over its limit: 414", request(to=b"/" + b"a" * LINE_BYTES), refused(414)),
    _bad("a field over the limit: 431", request(b"X-Big: " + b"a" * FIELDS_BYTES), refused(431)),
    _bad(
        "fields over the limit together: 431",
        request(*(b"X-%d: " % number + b"a" * 1024 for number in range(FIELDS_BYTES // 1024))),
        refused(431),
    ),
    _bad(
        "more fields than the limit: 431", request(*(b"X: %d" % number for number in range(FIELDS + 1))), refused(431)
    ),
)
_CHUNKS = (
    _chunk("a size that is no number", b"xyz\r\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("a size with a sign", b"+3\r\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("a negative size", b"-3\r\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("a size with 0x", b"0x3\r\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("a size over 64 bits", b"10000000000000003\r\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("no size", b"\r\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("more data than the size", b"3\r\nabcdef\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("a size line that ends with LF alone", b"3\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("a second size that is no number", b"3\r\nabc\r\nxyz\r\nabc\r\n0\r\n\r\n" + _SMUGGLED),
    _chunk("a bad line among the trailers", b"3\r\nabc\r\n0\r\nX A\x00: 1\r\n\r\n" + _SMUGGLED),
)

GROUP = Group(
    "Malformed requests",
    "What two parsers could read in two ways, or what is no request, is refused with a 4xx; the connection is closed, "
    "and nothing of it is forwarded. Of a body that turns out wrong on the way, the target never gets the end.",
    (*_LENGTHS, *(_coding(value) for value in _CODINGS), *_LINES, *_CHARACTERS, *_SIZES, *_CHUNKS),
)
