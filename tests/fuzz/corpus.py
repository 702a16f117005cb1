"""The corpus: bytes that clients have sent, or might, one case a line of corpus.txt, as a Python bytes literal."""

import ast
from pathlib import Path

from tests.path_spellings import CHOSEN

_FILE = Path(__file__).with_name("corpus.txt")


def to_line(data: bytes) -> str:
    """Return the line of corpus.txt for these bytes."""
    return repr(data)


def read_corpus() -> list[bytes]:
    """Return the whole corpus: the lines of the file, and one request for each known spelling of a path."""
    lines = [line.strip() for line in _FILE.read_text(encoding="ascii").splitlines()]
    heads = [_bytes_of(line) for line in lines if line and not line.startswith("#")]
    return [*heads, *(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in CHOSEN)]


def _bytes_of(line: str) -> bytes:
    data = ast.literal_eval(line)
    if not isinstance(data, bytes):
        raise TypeError(f"corpus.txt has a line that is not bytes: {line[:60]}")
    return data
