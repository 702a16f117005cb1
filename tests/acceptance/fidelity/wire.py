"""Bytes for cases: ordinary requests and answers, to which a case adds its own lines."""

from tests.acceptance.fidelity.case import Answer

HOST = b"client.example"


def request(
    *lines: bytes, to: bytes = b"/x", method: bytes = b"GET", version: bytes = b"HTTP/1.1", body: bytes = b""
) -> bytes:
    """Return a request with Host and these field lines; the case declares the length in one of them."""
    return message(b"%s %s %s" % (method, to, version), b"Host: " + HOST, *lines) + body


def message(start: bytes, *lines: bytes) -> bytes:
    """Return a start line, field lines and the end of the head."""
    return b"\r\n".join([start, *lines, b"", b""])


def sized(body: bytes) -> bytes:
    """Return the Content-Length line of a body."""
    return b"Content-Length: %d" % len(body)


def chunks(*pieces: bytes, trailers: tuple[bytes, ...] = ()) -> bytes:
    """Return a chunked body of these pieces."""
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return framed + b"\r\n".join([b"0", *trailers, b"", b""])


def answer(*lines: bytes, status: bytes = b"200 OK", body: bytes = b"ok") -> Answer:
    """Return an answer with a body of declared length, after which the connection is kept."""
    return Answer(message(b"HTTP/1.1 " + status, sized(body), *lines) + body)


def bare_answer(*lines: bytes, status: bytes = b"200 OK", body: bytes = b"", closes: bool = False) -> Answer:
    """Return an answer; the case may declare its length in one of the lines."""
    return Answer(message(b"HTTP/1.1 " + status, *lines) + body, closes)


OK = answer()
CHUNKED = b"Transfer-Encoding: chunked"
