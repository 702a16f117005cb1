"""Ollama's POST /api/chat and /api/generate: a line of JSON a token, or one document with `stream: false`. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from mock_target.model_server.generation import Generation, plan_generation
from mock_target.model_server.json_body import (
    BadModelRequest,
    count_prompt_tokens,
    count_words,
    read_count,
    read_flag,
    read_members,
    read_model,
)
from mock_target.responses import MockResponse, Piece, json_response
from mock_target.settings import MAX_TOKENS, Behaviour

_LINE_FIELDS = [(b"content-type", b"application/x-ndjson")]
_NANOSECONDS = 1_000_000_000
# Ollama takes -1 and -2 for "no limit".
_LOWEST_LIMIT = -2


@dataclass(frozen=True, slots=True)
class _Text:
    """One answer: of /api/chat, whose text is in a message, or of /api/generate. `created_at` is in RFC 3339's form."""

    is_chat: bool
    model: str
    created_at: str
    prompt_tokens: int
    generation: Generation

    def document(self, text: str, **more: object) -> dict[str, object]:
        content = {"message": {"role": "assistant", "content": text}} if self.is_chat else {"response": text}
        return {"model": self.model, "created_at": self.created_at, **content, **more}

    def last_document(self, text: str) -> dict[str, object]:
        duration = round(self.generation.seconds * _NANOSECONDS)
        return self.document(
            text,
            done=True,
            done_reason=self.generation.finish_reason,
            total_duration=duration,
            load_duration=0,
            prompt_eval_count=self.prompt_tokens,
            prompt_eval_duration=0,
            eval_count=self.generation.count,
            eval_duration=duration,
        )


def chat(members: dict[str, object], behaviour: Behaviour, created_at: int) -> MockResponse:
    """Return the answer of /api/chat to a body; `created_at` is unix seconds. Raises BadModelRequest."""
    return _respond(members, behaviour, created_at, count_prompt_tokens(members), is_chat=True)


def generate(members: dict[str, object], behaviour: Behaviour, created_at: int) -> MockResponse:
    """Return the answer of /api/generate to a body; `created_at` is unix seconds. Raises BadModelRequest."""
    prompt = members.get("prompt", "")
    if not isinstance(prompt, str):
        raise BadModelRequest("prompt: write a text", "prompt")
    return _respond(members, behaviour, created_at, count_words(prompt), is_chat=False)


def _respond(
    members: dict[str, object], behaviour: Behaviour, created_at: int, prompt_tokens: int, is_chat: bool
) -> MockResponse:
    limit = read_count(read_members(members, "options"), "num_predict", _LOWEST_LIMIT, MAX_TOKENS)
    text = _Text(
        is_chat=is_chat,
        model=read_model(members),
        created_at=datetime.fromtimestamp(created_at, UTC).isoformat().replace("+00:00", "Z"),
        prompt_tokens=prompt_tokens,
        generation=plan_generation(behaviour, None if limit is None or limit < 0 else limit),
    )
    if read_flag(members, "stream", default=True):
        return MockResponse(200, _LINE_FIELDS, _stream(text), None)
    return json_response(200, text.last_document(text.generation.text), text.generation.seconds)


def _stream(text: _Text) -> Iterator[Piece]:
    for due_seconds, token in text.generation.tokens():
        yield Piece(due_seconds, _line(text.document(token, done=False)))
    yield Piece(text.generation.seconds, _line(text.last_document("")))


def _line(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"
