"""What both ends of a streaming measurement send: request heads, and bodies of any size."""

from collections.abc import Iterator

BLOCK_BYTES = 256 * 1024
_PATTERN = bytes(range(256)) * (BLOCK_BYTES // 256 - 1)
_NUMBER_BYTES = BLOCK_BYTES - len(_PATTERN)


def body_blocks(size_bytes: int) -> Iterator[bytes]:
    """Return a body of this size in blocks. No two are equal, so a checksum detects a lost or misplaced block."""
    for number, start in enumerate(range(0, size_bytes, BLOCK_BYTES)):
        block = number.to_bytes(_NUMBER_BYTES, "big") + _PATTERN
        yield block[: size_bytes - start]


def request_head(method: str, path: str, size_bytes: int | None = None) -> bytes:
    """Return the head of a request whose body has `size_bytes`; None: it has no body."""
    length = "" if size_bytes is None else f"Content-Length: {size_bytes}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{length}\r\n".encode()
