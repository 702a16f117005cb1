"""Responses come back as the target made them: status, fields, body, and where they end (RFC 9112, section 6)."""

import gzip

from tests.acceptance.fidelity.case import TARGET, Answer, Case, Group, Judge, Seen
from tests.acceptance.fidelity.judges import (
    answered,
    bad_gateway,
    client_body,
    client_has,
    client_lacks,
    everything,
    kept,
    never_a_clean_end,
    noting,
    of_response,
)
from tests.acceptance.fidelity.messages import Message
from tests.acceptance.fidelity.wire import CHUNKED, HOST, answer, bare_answer, chunks, message, request, sized

_BINARY = bytes(range(256)) * 1024
_GZIP = gzip.compress(b"text " * 100, mtime=0)
_BR = b"\x0b\x02\x80text\x03"  # told to be brotli; nobody on the way has to know
_ETAG = b'ETag: "v1"'


def _told(name: str, answered_by: Answer, judge: Judge, *, method: bytes = b"GET") -> Case:
    return Case(name, (request(method=method),), (answered_by,), judge)


def _closed(name: str, sent: bytes) -> Case:
    # An idempotent request may be tried once more (RFC 9110, section 9.2.2).
    return Case(name, (request(),), (Answer(sent, closes=True),) * 2, bad_gateway(most_attempts=2))


def _status(line: bytes) -> Case:
    status = int(line[:3])
    return _told(f"status {status}", answer(status=line), everything(answered(status), client_body(b"ok"), kept))


def _interim(line: bytes, *lines: bytes) -> Case:
    sent = Answer(message(b"HTTP/1.1 " + line, *lines) + answer().data)
    judge = everything(answered(200), client_lacks("Link"), client_body(b"ok"), kept)
    return _told(f"{line.decode()} before the final one", sent, noting(_what_became_of_interim, judge))


def _what_became_of_interim(seen: Seen) -> str:
    return "forwarded" if seen.interim_statuses else "dropped"


def _reason(seen: Seen) -> str:
    reason = seen.final.start[len(b"HTTP/1.1 200") :].strip() if seen.final else b""
    return "kept" if reason == b"Perfectly Fine" else f"replaced by {reason.decode()}" if reason else "dropped"


def _placed(name: str, status: bytes, field: bytes, origin: bytes) -> Case:
    path = b"/a%2fb/?c=%20/..#d"

    def place(response: Message) -> str:
        # In words, since the ports differ from run to run.
        if response.values(field.decode()) == [path]:
            return "a path"
        return "with the client's Host" if HOST in b"".join(response.values(field.decode())) else "not a path"

    judge = everything(answered(int(status[:3])), of_response(field.decode(), place, "a path"), kept)
    return _told(name, answer(b"%b: %b%b" % (field, origin, path), status=status), judge)


def _host_in_location(response: Message) -> bool:
    return any(value.startswith(b"//") for value in response.values("Location"))


_STATUSES = (
    b"201 Created", b"206 Partial Content", b"299 Own", b"302 Found", b"400 Bad Request", b"401 Unauthorized",
    b"404 Not Found", b"407 Proxy Authentication Required", b"418 Teapot", b"421 Misdirected", b"426 Upgrade Required",
    b"500 Oops", b"502 Bad Gateway", b"503 Busy", b"504 Slow", b"599 Own",
)  # fmt: skip
_NO_BODY = everything(client_body(b""), kept)
_EMPTY = b"Content-Length: 1234"

_WITHOUT_BODY = (
    _told(
        "HEAD: no body, and the Content-Length and ETag of the target",
        bare_answer(_EMPTY, _ETAG),
        everything(answered(200), client_has("Content-Length", b"1234"), client_has("ETag", b'"v1"'), _NO_BODY),
        method=b"HEAD",
    ),
    _told(
        "HEAD: no Content-Length where the target gave none",
        bare_answer(_ETAG),
        everything(answered(200), client_lacks("Content-Length"), _NO_BODY),
        method=b"HEAD",
    ),
    _told(
        "HEAD of a 404",
        bare_answer(_EMPTY, status=b"404 Not Found"),
        everything(answered(404), client_has("Content-Length", b"1234"), _NO_BODY),
        method=b"HEAD",
    ),
    _told(
        "204: no body and no length, and its ETag",
        bare_answer(_ETAG, status=b"204 No Content"),
        everything(
            answered(204), client_lacks("Content-Length", "Transfer-Encoding"), client_has("ETag", b'"v1"'), kept
        ),
    ),
    _told(
        "304: no body, and the Content-Length and ETag of the target",
        bare_answer(_EMPTY, _ETAG, status=b"304 Not Modified"),
        everything(answered(304), client_has("Content-Length", b"1234"), client_has("ETag", b'"v1"'), _NO_BODY),
    ),
    _told(
        "304 without Content-Length",
        bare_answer(_ETAG, status=b"304 Not Modified"),
        everything(answered(304), client_lacks("Content-Length", "Transfer-Encoding"), _NO_BODY),
    ),
    _told("205 without a body", bare_answer(sized(b""), status=b"205 Reset"), everything(answered(205), _NO_BODY)),
    _told("an empty 200", answer(body=b""), everything(answered(200), client_has("Content-Length", b"0"), _NO_BODY)),
)
_BODIES = (
    _told("256 KiB of every byte value", answer(body=_BINARY), everything(answered(200), client_body(_BINARY), kept)),
    _told(
        "its Content-Length is kept",
        answer(body=b"abc"),
        everything(answered(200), client_has("Content-Length", b"3"), client_lacks("Transfer-Encoding"), kept),
    ),
    _told(
        "gzip, byte for byte",
        answer(b"Content-Encoding: gzip", b"Vary: Accept-Encoding", body=_GZIP),
        everything(answered(200), client_has("Content-Encoding", b"gzip"), client_body(_GZIP), kept),
    ),
    _told(
        "br, byte for byte",
        answer(b"Content-Encoding: br", body=_BR),
        everything(answered(200), client_has("Content-Encoding", b"br"), client_body(_BR), kept),
    ),
    _told(
        "in chunks",
        bare_answer(CHUNKED, body=chunks(b"one,", b"two")),
        everything(answered(200), client_body(b"one,two"), kept),
    ),
    _told("in chunks, none", bare_answer(CHUNKED, body=chunks()), everything(answered(200), _NO_BODY)),
    _told(
        "trailers never become fields",
        bare_answer(CHUNKED, b"Trailer: X-Sum", body=chunks(b"abc", trailers=(b"X-Sum: 1",))),
        everything(answered(200), client_body(b"abc"), client_lacks("X-Sum"), kept),
    ),
    _told(
        "of HTTP/1.0, until it closes",
        Answer(message(b"HTTP/1.0 200 OK", b"X-Old: 1") + b"to the end", closes=True),
        everything(
            answered(200), client_body(b"to the end"), of_response("ends", lambda r: r.is_delimited, True), kept
        ),
    ),
    _told(
        "of HTTP/1.1, until it closes",
        bare_answer(b"Connection: close", body=b"to the end", closes=True),
        everything(
            answered(200), client_body(b"to the end"), of_response("ends", lambda r: r.is_delimited, True), kept
        ),
    ),
    _told(
        "of HTTP/1.0, with a length",
        Answer(message(b"HTTP/1.0 200 OK", sized(b"old")) + b"old", closes=True),
        everything(answered(200), client_body(b"old"), kept),
    ),
)
_BROKEN = (
    _told(
        "shorter than its Content-Length: no clean end",
        bare_answer(b"Content-Length: 10", body=b"short", closes=True),
        never_a_clean_end,
    ),
    _told(
        "chunks without the last one: no clean end",
        bare_answer(CHUNKED, body=b"5\r\nshort\r\n", closes=True),
        never_a_clean_end,
    ),
    _told("a chunk cut short: no clean end", bare_answer(CHUNKED, body=b"a\r\nshort", closes=True), never_a_clean_end),
    _closed("nothing: 502", b""),
    _closed("half a head: 502", b"HTTP/1.1 200 OK\r\nX-Half"),
)

GROUP = Group(
    "Responses",
    "Status, fields and body come back as the target made them, and what it did not finish has no clean end. A "
    "`Location` at the target becomes one at the gateway.",
    (
        *(_status(line) for line in _STATUSES),
        _told(
            "301: a Location of another origin untouched, and not followed",
            answer(b"Location: HTTP://Elsewhere.example:80/../a%2fb?#c", status=b"301 Moved"),
            everything(answered(301), client_has("Location", b"HTTP://Elsewhere.example:80/../a%2fb?#c"), kept),
        ),
        _placed("301: a Location of the target's own origin as a path", b"301 Moved", b"Location", b"http://" + TARGET),
        _placed(
            "201: a Content-Location of the target's own as a path", b"201 Made", b"Content-Location", b"//" + TARGET
        ),
        _placed("307: a path in Location untouched", b"307 Temporary", b"Location", b""),
        _told(
            "302: a Location of the target's own does not become that of a host",
            answer(b"Location: http://" + TARGET + b"//evil.example/x", status=b"302 Found"),
            everything(answered(302), of_response("Location", _host_in_location, False), kept),
        ),
        _told("status 999 is none: 502", answer(status=b"999 What"), bad_gateway()),
        _told("the reason phrase", answer(status=b"200 Perfectly Fine"), noting(_reason, answered(200))),
        _interim(b"100 Continue"),
        _interim(b"102 Processing"),
        _interim(b"103 Early Hints", b"Link: </a.css>; rel=preload"),
        *_WITHOUT_BODY,
        *_BODIES,
        *_BROKEN,
    ),
)
