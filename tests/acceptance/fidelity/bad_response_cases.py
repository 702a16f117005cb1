"""Malformed or ambiguous responses: 502, and never a second response (RFC 9112)."""

from tests.acceptance.fidelity.case import Answer, Case, Group, Judge
from tests.acceptance.fidelity.judges import (
    answered,
    bad_gateway,
    client_body,
    client_has,
    either,
    everything,
    never_a_clean_end,
    noting,
    requests,
)
from tests.acceptance.fidelity.limits import FIELDS, FIELDS_BYTES
from tests.acceptance.fidelity.wire import CHUNKED, answer, bare_answer, chunks, request, sized

_TAKEN_OR_REFUSED = noting(
    lambda seen: str(seen.final.status if seen.final else ""),
    everything(requests(1), either(everything(answered(200), client_body(b"ok")), answered(502))),
)
_SMUGGLED = answer(body=b"smuggled").data

_UNFOLDED = everything(
    answered(200), either(*(client_has("x-a", b"1" + b" " * blanks + b"2") for blanks in (1, 2, 3, 4)))
)


def _bad(name: str, sent: Answer, judge: Judge | None = None, *, method: bytes = b"GET") -> Case:
    # A target that closes without announcing it must leave its answer unfinished. Otherwise the result depends on
    # whether a gateway that keeps the connection notices the close in time.
    return Case(name, (request(method=method),), (sent,), judge or bad_gateway())


def _head(name: str, *lines: bytes, body: bytes = b"abc") -> Case:
    return _bad(name, bare_answer(*lines, body=body + _SMUGGLED))


def _coding(value: bytes) -> Case:
    # The close is announced: a body in unknown codings can only end with its connection (RFC 9112, section 6.3).
    lines = b"Transfer-Encoding: " + value, b"Connection: close"
    return _bad(f"`{lines[0].decode()}`", bare_answer(*lines, body=chunks(b"abc"), closes=True))


def _value(what: str, value: bytes) -> Case:
    return _bad(f"a value with {what}", answer(b"X-Value: a" + value + b"b"))


_FRAMING = (
    _head("Content-Length and Transfer-Encoding", b"Content-Length: 3", CHUNKED, body=chunks(b"abc")),
    _head("Content-Length: 3 and 5", b"Content-Length: 3", b"Content-Length: 5"),
    _head("`Content-Length: 3, 5`", b"Content-Length: 3, 5"),
    _head("`Content-Length: +3`", b"Content-Length: +3"),
    _head("`Content-Length: -3`", b"Content-Length: -3"),
    _head("`Content-Length: 0x3`", b"Content-Length: 0x3"),
    _head("`Content-Length: 99999999999999999999999`", b"Content-Length: 99999999999999999999999"),
    _coding(b"gzip, chunked"),
    _coding(b"xchunked"),
    _coding(b"chunked, identity"),
)
_CHARACTERS = (
    _value("NUL", b"\x00"),
    _value("CR", b"\r"),
    _value("LF", b"\n"),
    _value("another control", b"\x01"),
    _bad("a field name with a blank", answer(b"X A: 1")),
    _bad("a field name that is empty", answer(b": 1")),
    _bad("a line without a colon", answer(b"X-A")),
    # RFC 9112, section 5.2: a gateway refuses it or puts spaces in the place of the fold.
    _bad("a folded line", answer(b"X-A: 1\r\n 2"), either(bad_gateway(), _UNFOLDED)),
    # RFC 9112, section 2.2, lets a recipient take it.
    _bad("lines that end with LF alone", Answer(answer().data.replace(b"\r\n", b"\n")), _TAKEN_OR_REFUSED),
)
_NONE = (
    _bad("garbage", Answer(b"\x16\x03\x01 this is no HTTP\r\n\r\n", closes=True)),
    _bad("an HTTP/0.9 body", Answer(b"<html>hello</html>", closes=True)),
    _bad("HTTP/2.0", Answer(answer().data.replace(b"HTTP/1.1", b"HTTP/2.0")), _TAKEN_OR_REFUSED),
    _bad("a status of two digits", answer(status=b"20 OK")),
    _bad("a status of four digits", answer(status=b"2000 OK")),
    _bad("a status below 100", answer(status=b"099 OK")),
    _bad("101, which nobody asked for", bare_answer(b"Upgrade: h2c", b"Connection: upgrade", status=b"101 Switch")),
    _bad("fields over the limit", answer(*(b"X-%d: " % n + b"a" * 1024 for n in range(2 * FIELDS_BYTES // 1024)))),
    _bad("more fields than the limit", answer(*(b"X-%d: 1" % n for n in range(FIELDS + 1)))),
)
_MORE = (
    _bad(
        "a second response that nobody asked for",
        Answer(answer().data + _SMUGGLED),
        everything(requests(1), answered(200), client_body(b"ok")),
    ),
    _bad(
        "HEAD with a body",
        bare_answer(sized(_SMUGGLED), body=_SMUGGLED),
        everything(requests(1), answered(200, 502), client_body(b"")),
        method=b"HEAD",
    ),
    _bad(
        "204 with a body",
        bare_answer(status=b"204 No Content", body=_SMUGGLED),
        everything(requests(1), answered(204, 502)),
    ),
    _bad(
        "304 with a body",
        bare_answer(status=b"304 Not Modified", body=_SMUGGLED),
        everything(requests(1), answered(304, 502)),
    ),
    _bad(
        "a chunk size that is no number: no clean end",
        bare_answer(CHUNKED, body=b"3\r\nabc\r\nxyz\r\nabc\r\n0\r\n\r\n", closes=True),
        never_a_clean_end,
    ),
    _bad(
        "more data than the chunk's size: no clean end",
        bare_answer(CHUNKED, body=b"3\r\nabcdef\r\n0\r\n\r\n", closes=True),
        never_a_clean_end,
    ),
)

GROUP = Group(
    "Malformed responses",
    "What is no response, or could be read in two ways, becomes a 502; never does a client hear a second response.",
    (*_FRAMING, *_CHARACTERS, *_NONE, *_MORE),
)
