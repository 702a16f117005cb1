"""Makes cases: bytes that a client could send, from the corpus, mutated cases, and random paths and heads.

Pure: the same Random gives the same cases.
"""

from collections.abc import Callable, Sequence
from random import Random

from tests.path_spellings import random_path

_MAX_CHANGES = 3
_DIRECT_SHARE = 0.1
"""The share of generated requests for a path that skips the queue."""
_METHODS = [b"GET", b"GET", b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PROPFIND", b"get", b"SOURCE"]
_VERSIONS = [b"HTTP/1.1"] * 12 + [
    b"HTTP/1.0",
    b"RTSP/1.0",
    b"ICE/1.0",
    b"HTTP/2.0",
    b"HTTP/1.2",
    b"http/1.1",
    b"HTTP/0.9",
]
_AUTHORITIES = [b"http://x", b"https://x", b"HTTP://x:1", b"http://u@x", b"//x"]
_BYTES = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b" ", b"\t", b"\0", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff",
    b"\xc2\xa0", b":", b";", b",", b"/", b"?", b"#", b"%", b"%00", b"%0d%0a", b"\\", b"0", b"a", b"-", b"_",
    b"+", b'"', b"..", b"//", b"%2f",
]  # fmt: skip
_HANDSHAKE = [
    b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]  # fmt: skip
_LINES = [
    b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: 05", b"Content-Length: 5, 5",
    b"Content-Length:", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:\tchunked", b"Transfer_Encoding: chunked",
    b"Host: y", b"Host:", b"Host: x:1", b"Connection: close", b"Connection: keep-alive", b"Connection: Host",
    b"Connection: Transfer-Encoding", b"Connection: upgrade", b"Upgrade: h2c", b"Expect: 100-continue",
    b"Max-Forwards: 0", b"X-Original-URL: /reports/1", b"X-HTTP-Method-Override: POST", b"TE: trailers",
    b"Trailer: Content-Length", b"X: " + b"a" * 300, b" folded", b"no colon", b": no name", b"X-A: b\nX-C: d",
    b"X\0: a",
]  # fmt: skip


def make_case(random: Random, seeds: Sequence[bytes]) -> bytes:
    """Return the next case."""
    kind = random.random()
    if kind < 0.4:
        return _request(random)
    if kind < 0.55:
        return b"".join(_request(random) for _ in range(random.randint(2, 3)))
    data = random.choice(seeds) if kind < 0.85 else _request(random)
    if kind > 0.95:
        data += random.choice(seeds)
    for _ in range(random.randint(1, _MAX_CHANGES)):
        data = random.choice(_CHANGES)(random, data)
    return data


def _request(random: Random) -> bytes:
    target = b"/health" if random.random() < _DIRECT_SHARE else random_path(random).encode()
    if random.random() < 0.15:
        target += b"?" + random.choice([b"", b"a=1", b"/../reports", b"a?b", b"%2e%2e/"])
    if random.random() < 0.05:
        target = random.choice(_AUTHORITIES) + target
    lines = [b"%s %s %s" % (random.choice(_METHODS), target, random.choice(_VERSIONS)), b"Host: x"]
    lines += random.choices(_LINES, k=random.choice([0, 0, 0, 0, 1, 2]))
    body = b""
    if random.random() < 0.05:
        lines += _HANDSHAKE
    elif random.random() < 0.2:
        body = random.choice([b"abc", b"", b"0\r\n\r\n", b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n\r\n"])
        if random.random() < 0.5:
            lines.append(b"Content-Length: %d" % (len(body) + random.choice([0, 0, 0, 0, 0, 1, -1])))
        else:
            lines.append(b"Transfer-Encoding: chunked")
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    return b"\r\n".join([*lines, b"", b""]) + body


def _insert(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice(_BYTES) + data[at:]


def _drop(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.randint(1, 4) :]


def _replace(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice([random.choice(_BYTES), random.randbytes(1)]) + data[at + 1 :]


def _insert_line(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(random.randrange(len(lines) + 1), random.choice(_LINES))
    return b"\r\n".join(lines)


def _repeat_line(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
    return b"\r\n".join(lines)


def _change_line_end(random: Random, data: bytes) -> bytes:
    lines = data.split(b"\r\n")
    at = random.randrange(len(lines))
    end = random.choice([b"\n", b"\r", b"\r\r\n", b" \r\n", b"\n\r"])
    return b"\r\n".join(lines[: at + 1]) + end + b"\r\n".join(lines[at + 1 :])


def _change_path(random: Random, data: bytes) -> bytes:
    method, blank, rest = data.partition(b" ")
    _, other_blank, rest = rest.partition(b" ")
    return method + blank + random_path(random).encode() + other_blank + rest


def _change_case(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at : at + 12].swapcase() + data[at + 12 :]


_CHANGES: list[Callable[[Random, bytes], bytes]] = [
    _insert, _drop, _replace, _insert_line, _repeat_line, _change_line_end, _change_path, _change_case,
]  # fmt: skip
