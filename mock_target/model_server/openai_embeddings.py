"""OpenAI's POST /v1/embeddings: a vector for each input, the same for the same input. Pure."""

import base64
import hashlib
import json
import struct

from mock_target.model_server.json_body import BadModelRequest, count_words, read_count, read_model
from mock_target.responses import MockResponse, json_response

MAX_INPUTS = 2048
MAX_DIMENSIONS = 256
_DEFAULT_DIMENSIONS = 8
_ENCODINGS = ("float", "base64")


def embed(members: dict[str, object]) -> MockResponse:
    """Return the vectors that a body asks for. Raises BadModelRequest."""
    model = read_model(members)
    inputs = _read_inputs(members.get("input"))
    dimensions = read_count(members, "dimensions", 1, MAX_DIMENSIONS) or _DEFAULT_DIMENSIONS
    encoding = "float" if members.get("encoding_format") is None else members["encoding_format"]
    if encoding not in _ENCODINGS:
        raise BadModelRequest(f"encoding_format: write one of {', '.join(_ENCODINGS)}", "encoding_format")
    vectors = [_vector(text, dimensions) for text in inputs]
    data = [
        {"object": "embedding", "index": index, "embedding": _pack(vector) if encoding == "base64" else vector}
        for index, vector in enumerate(vectors)
    ]
    tokens = sum(map(_count_tokens, inputs))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json_response(200, {"object": "list", "data": data, "model": model, "usage": usage})


def _read_inputs(value: object) -> list[object]:
    """Return the inputs: one text, one list of tokens, or a list of either."""
    is_one = isinstance(value, str) or (isinstance(value, list) and bool(value) and _is_token_list(value))
    inputs = [value] if is_one else value
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MAX_INPUTS or not all(map(_is_input, inputs)):
        raise BadModelRequest(f"input: write a text, or a list of 1 to {MAX_INPUTS} texts or lists of tokens", "input")
    return inputs


def _is_input(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and _is_token_list(value))


def _is_token_list(value: list[object]) -> bool:
    return all(isinstance(token, int) for token in value)


def _count_tokens(text: object) -> int:
    return len(text) if isinstance(text, list) else count_words(text)


def _vector(text: object, dimensions: int) -> list[float]:
    # One byte a dimension; eighths are the same in JSON and as 32-bit floats.
    digest = hashlib.shake_128(json.dumps(text).encode()).digest(dimensions)
    return [(byte - 128) / 128 for byte in digest]


def _pack(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")
