"""OpenAI's POST /v1/chat/completions: one JSON document, or server-sent events with `stream: true`. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from mock_target.model_server.generation import Generation, plan_generation
from mock_target.model_server.json_body import count_prompt_tokens, read_count, read_flag, read_members, read_model
from mock_target.responses import MockResponse, Piece, json_response
from mock_target.settings import MAX_TOKENS, Behaviour

_EVENT_FIELDS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


@dataclass(frozen=True, slots=True)
class _Completion:
    """One completion: what all its documents have in common; `created_at` is unix seconds."""

    number: int
    created_at: int
    model: str
    prompt_tokens: int
    generation: Generation
    includes_usage: bool

    def document(self, kind: str, choices: list[object], **more: object) -> dict[str, object]:
        head = {"id": f"chatcmpl-{self.number}", "object": kind, "created": self.created_at, "model": self.model}
        return {**head, "choices": choices, **more}

    def usage(self) -> dict[str, int]:
        count = self.generation.count
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": count,
            "total_tokens": self.prompt_tokens + count,
        }


def complete_chat(members: dict[str, object], behaviour: Behaviour, number: int, created_at: int) -> MockResponse:
    """Return the completion that a body asks for. Raises BadModelRequest."""
    max_tokens = read_count(members, "max_completion_tokens", 1, MAX_TOKENS)
    older_max_tokens = read_count(members, "max_tokens", 1, MAX_TOKENS)
    completion = _Completion(
        number=number,
        created_at=created_at,
        model=read_model(members),
        prompt_tokens=count_prompt_tokens(members),
        generation=plan_generation(behaviour, older_max_tokens if max_tokens is None else max_tokens),
        includes_usage=read_flag(read_members(members, "stream_options"), "include_usage", default=False),
    )
    if read_flag(members, "stream", default=False):
        return MockResponse(200, _EVENT_FIELDS, _stream(completion), None)
    return _whole(completion)


def _whole(completion: _Completion) -> MockResponse:
    generation = completion.generation
    message = {"role": "assistant", "content": generation.text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": generation.finish_reason}
    document = completion.document("chat.completion", [choice], usage=completion.usage())
    return json_response(200, document, generation.seconds)


def _stream(completion: _Completion) -> Iterator[Piece]:
    generation = completion.generation
    # With usage, the chunks before the last one say that they have none.
    without_usage: dict[str, object] = {"usage": None} if completion.includes_usage else {}

    def chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event(completion.document("chat.completion.chunk", [choice], **without_usage))

    yield Piece(0.0, chunk({"role": "assistant", "content": ""}))
    for due_seconds, token in generation.tokens():
        yield Piece(due_seconds, chunk({"content": token}))
    end = chunk({}, generation.finish_reason)
    if completion.includes_usage:
        end += _event(completion.document("chat.completion.chunk", [], usage=completion.usage()))
    yield Piece(generation.seconds, end + b"data: [DONE]\n\n")


def _event(document: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
