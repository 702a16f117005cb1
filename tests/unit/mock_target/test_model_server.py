"""The paths on which the mock answers as a server of language models, over ASGI."""

import base64
import json
import struct
from typing import Any

import httpx
import pytest

from mock_target import MockSettings, create_app
from mock_target.model_server.generation import plan_generation
from mock_target.model_server.openai_chat import complete_chat
from mock_target.settings import NOTHING_SET
from mock_target.settings.knob_table import make_behaviour
from tests.unit.mock_target.mock_rig import DirectRequest, client_of, let_tasks_run

CHAT: dict[str, Any] = {"model": "any-name", "messages": [{"role": "user", "content": "two words"}]}
GENERATE: dict[str, Any] = {"model": "any-name", "prompt": "three words here"}
FAST = "mock_tokens=3&mock_token_rate=1000000"
POSTS = [
    ("/v1/chat/completions", CHAT),
    ("/v1/embeddings", {"model": "any-name", "input": "text"}),
    ("/api/chat", CHAT),
    ("/api/generate", GENERATE),
]


def message_of(answer: httpx.Response) -> str:
    """Return the message of an error, in the shape of its API."""
    error = answer.json()["error"]
    message: str = error["message"] if isinstance(error, dict) else error
    return message


def is_shaped(path: str, answer: httpx.Response) -> bool:
    return isinstance(answer.json()["error"], dict if path.startswith("/v1/") else str)


def events_of(answer: httpx.Response) -> list[str]:
    """Return the data of server-sent events, each of which ends with an empty line."""
    *events, rest = answer.text.split("\n\n")
    assert rest == ""
    return [event.removeprefix("data: ") for event in events]


async def test_a_chat_completion_has_text_and_usage(client: httpx.AsyncClient) -> None:
    """One document names the model of the request, and has the tokens as text and their number."""
    answer = (await client.post(f"/v1/chat/completions?{FAST}", json=CHAT)).json()
    assert (answer["object"], answer["model"], answer["id"]) == ("chat.completion", "any-name", "chatcmpl-1")
    choice = answer["choices"][0]
    assert (choice["message"], choice["finish_reason"]) == (
        {"role": "assistant", "content": "token1 token2 token3"},
        "stop",
    )
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


async def test_a_chat_completion_streams_a_token_an_event(client: httpx.AsyncClient) -> None:
    """The role comes first, then each token, then the reason of the end, and [DONE] last."""
    answer = await client.post(f"/v1/chat/completions?{FAST}", json={**CHAT, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done = events_of(answer)
    choices = [json.loads(event)["choices"][0] for event in events]
    deltas = [choice["delta"] for choice in choices]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "token1"},
        {"content": " token2"},
        {"content": " token3"},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices] == [None] * 4 + ["stop"]
    assert done == "[DONE]"


async def test_a_stream_tells_its_usage_where_it_is_asked_to(client: httpx.AsyncClient) -> None:
    """With include_usage the last chunk has the usage and no choice, and those before it say null."""
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    events = events_of(await client.post(f"/v1/chat/completions?{FAST}", json=body))
    *chunks, last = [json.loads(event) for event in events[:-1]]
    assert {chunk["usage"] for chunk in chunks} == {None}
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 3)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/chat/completions", {"max_tokens": 2}),
        ("/v1/chat/completions", {"max_completion_tokens": 2}),
        ("/api/chat", {"options": {"num_predict": 2}}),
    ],
)
async def test_a_request_may_ask_for_fewer_tokens(client: httpx.AsyncClient, path: str, limit: dict[str, Any]) -> None:
    """The answer ends at the request's own limit, and says so."""
    answer = (await client.post(f"{path}?{FAST}", json={**CHAT, **limit, "stream": False})).json()
    part = answer["choices"][0] if "choices" in answer else answer
    assert part["message"]["content"] == "token1 token2"
    assert "length" in (part.get("finish_reason"), part.get("done_reason"))


@pytest.mark.parametrize(("path", "body"), [("/api/chat", CHAT), ("/api/generate", GENERATE)])
async def test_ollama_streams_a_line_a_token(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """Without `stream` each token is a line of JSON, and the last line has the counts."""
    answer = await client.post(f"{path}?{FAST}", json=body)
    assert answer.headers["content-type"] == "application/x-ndjson"
    *lines, last = [json.loads(line) for line in answer.text.splitlines()]
    texts = [line["message"]["content"] if path == "/api/chat" else line["response"] for line in lines]
    assert texts == ["token1", " token2", " token3"]
    assert [line["done"] for line in lines] == [False] * 3
    assert (last["done"], last["done_reason"], last["eval_count"]) == (True, "stop", 3)
    assert last["prompt_eval_count"] == (2 if path == "/api/chat" else 3)


@pytest.mark.parametrize(("path", "body"), [("/api/chat", CHAT), ("/api/generate", GENERATE)])
async def test_ollama_answers_whole_where_it_is_asked_to(
    client: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    """With `stream: false` one document has the whole text."""
    answer = (await client.post(f"{path}?{FAST}", json={**body, "stream": False})).json()
    text = answer["message"]["content"] if path == "/api/chat" else answer["response"]
    assert (text, answer["done"]) == ("token1 token2 token3", True)


@pytest.mark.parametrize(
    ("given", "count", "tokens"), [("a b", 1, 2), (["a", "b c"], 2, 3), ([1, 2], 1, 2), ([[1]], 1, 1)]
)
async def test_each_input_has_its_vector(client: httpx.AsyncClient, given: object, count: int, tokens: int) -> None:
    """Texts and lists of tokens, one or several, get a vector each."""
    answer = (await client.post("/v1/embeddings", json={"model": "any-name", "input": given, "dimensions": 5})).json()
    assert [len(one["embedding"]) for one in answer["data"]] == [5] * count
    assert answer["usage"]["prompt_tokens"] == tokens


async def test_both_encodings_have_the_same_vector(client: httpx.AsyncClient) -> None:
    """Base64 holds the same numbers as 32-bit floats, in little-endian order."""
    body = {"model": "any-name", "input": "text"}
    packed = (await client.post("/v1/embeddings", json={**body, "encoding_format": "base64"})).json()
    plain = (await client.post("/v1/embeddings", json=body)).json()
    numbers = struct.unpack("<8f", base64.b64decode(packed["data"][0]["embedding"]))
    assert list(numbers) == plain["data"][0]["embedding"]


async def test_both_lists_name_the_same_models(client: httpx.AsyncClient) -> None:
    """OpenAI's list and Ollama's have the same names."""
    openai = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
    ollama = [model["name"] for model in (await client.get("/api/tags")).json()["models"]]
    assert openai == ollama == ["mock-small", "mock-large"]


def test_each_token_is_due_at_its_rate() -> None:
    """Token n is due n / rate after the head, and no token after an hour."""
    generation = plan_generation(make_behaviour({"tokens": 3, "token_rate": 2.0}), None)
    assert [due for due, _ in generation.tokens()] == [0.5, 1.0, 1.5]
    slow = plan_generation(make_behaviour({"tokens": 9, "token_rate": 0.001}), None)
    assert slow.seconds == 3600


def test_a_whole_answer_begins_when_its_tokens_are_made() -> None:
    """Without a stream the head is due with the last token."""
    response = complete_chat(CHAT, make_behaviour({"tokens": 5, "token_rate": 2.0}), 1, 0)
    assert response.head_due_seconds == 2.5


async def test_a_client_that_leaves_ends_its_answer() -> None:
    """While tokens of a whole answer are made, the client disconnects: nothing is sent, and nothing is in flight."""
    app = create_app(MockSettings(latency="0"))
    request = DirectRequest("/api/generate", "POST", "mock_token_rate=0.001")
    request.incoming.put_nowait(
        {"type": "http.request", "body": b'{"model": "x", "stream": false}', "more_body": False}
    )
    task = request.start(app)
    await let_tasks_run()
    request.disconnect()
    await task
    assert request.sent == []
    async with client_of(app) as client:
        assert (await client.get("/__admin/arrivals")).json()["in_flight"] == 0


@pytest.mark.parametrize(("path", "body"), POSTS)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_error_has_the_shape_of_its_api(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int
) -> None:
    """A status that the knobs set is an error that clients of the API show; 429 and 503 say when to come again."""
    answer = await client.post(f"{path}?mock_status={status}", json=body)
    assert answer.status_code == status
    assert is_shaped(path, answer)
    assert message_of(answer) == f"the mock target is set to answer {status}"
    assert answer.headers.get("retry-after") == (None if status == 500 else "1")


@pytest.mark.parametrize(("path", "body"), POSTS)
async def test_a_model_that_is_loading_answers_503(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """Until the model is loaded each POST gets 503, with the rest of the time in Retry-After."""
    answer = await client.post(f"{path}?mock_load_seconds=3600", json=body)
    assert (answer.status_code, message_of(answer)) == (503, "Loading model")
    assert is_shaped(path, answer)
    assert 3500 < int(answer.headers["retry-after"]) <= 3600


async def test_a_model_that_is_loaded_answers(client: httpx.AsyncClient) -> None:
    """Once `load_seconds` have passed since they were set, the model answers."""
    await client.patch("/__admin/settings", json={"load_seconds": 0, "tokens": 1})
    assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


async def test_the_list_of_models_is_there_while_one_is_loading(client: httpx.AsyncClient) -> None:
    """Only what needs the model waits for it."""
    assert (await client.get("/v1/models?mock_load_seconds=3600")).status_code == 200


@pytest.mark.parametrize(("path", "body"), POSTS)
async def test_a_refusal_has_the_shape_of_its_api(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    """Over the limit of the mock, the status and Retry-After are those of the knobs."""
    app = create_app(MockSettings(latency="0"))
    async with client_of(app) as client:
        settings = {"limit": 1, "limit_status": 429, "retry_after": 7}
        await client.patch("/__admin/settings", json=settings)
        working = DirectRequest("/any", query="mock_latency=3600")
        task = working.start(app)
        await let_tasks_run()
        answer = await client.post(path, json=body)
        working.disconnect()
        await task
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert is_shaped(path, answer)


BAD_BODIES: list[tuple[str, str, str]] = [
    ("/v1/chat/completions", "{", "the body is not JSON"),
    ("/v1/chat/completions", "[" * 100_000, "the body is not JSON"),
    ("/v1/chat/completions", "[]", "the body is not a JSON object"),
    ("/v1/chat/completions", '{"messages": []}', "model: write the name"),
    ("/v1/chat/completions", '{"model": "x"}', "messages: write a list"),
    ("/v1/chat/completions", '{"model": "x", "messages": [], "stream": 1}', "stream: write true or false"),
    ("/v1/chat/completions", '{"model": "x", "messages": [], "stream_options": 1}', "stream_options: write a JSON"),
    ("/v1/chat/completions", '{"model": "x", "messages": [], "max_tokens": true}', "max_tokens: write a whole number"),
    ("/v1/embeddings", '{"model": "x"}', "input: write a text"),
    ("/v1/embeddings", '{"model": "x", "input": [{}]}', "input: write a text"),
    ("/v1/embeddings", '{"model": "x", "input": "x", "dimensions": 257}', "dimensions: write a whole number"),
    ("/v1/embeddings", '{"model": "x", "input": "x", "encoding_format": []}', "encoding_format: write one of"),
    ("/api/chat", '{"model": "x", "messages": [1]}', "messages: write a list"),
    ("/api/generate", '{"model": "", "prompt": "x"}', "model: write the name"),
    ("/api/generate", '{"model": "x", "prompt": 1}', "prompt: write a text"),
    ("/api/generate", '{"model": "x", "options": {"num_predict": -3}}', "num_predict: write a whole number"),
]


@pytest.mark.parametrize(("path", "content", "message"), BAD_BODIES)
async def test_a_body_that_cannot_be_used_is_refused(
    client: httpx.AsyncClient, path: str, content: str, message: str
) -> None:
    """A 400 in the shape of the API names the member and says what to write."""
    answer = await client.post(path, content=content)
    assert (answer.status_code, is_shaped(path, answer)) == (400, True)
    assert message_of(answer).startswith(message)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/chat/completions"), ("POST", "/v1/models"), ("PUT", "/api/chat")]
)
async def test_other_methods_are_echoed(client: httpx.AsyncClient, method: str, path: str) -> None:
    """Only the method of the API gets its answer."""
    assert (await client.request(method, path)).json()["path"] == path


@pytest.mark.parametrize("query", ["mock_body=mine", "mock_size=4"])
async def test_other_contents_replace_the_answer(client: httpx.AsyncClient, query: str) -> None:
    """`body` and `size` win over the answer of a model server."""
    answer = await client.post(f"/v1/chat/completions?{query}", json=CHAT)
    assert (answer.status_code, len(answer.content)) == (200, 4)


async def test_an_answer_is_logged_as_any_arrival(client: httpx.AsyncClient) -> None:
    """The log has method, path, query and status."""
    await client.post(f"/v1/chat/completions?{FAST}", json=CHAT)
    (arrival,) = (await client.get("/__admin/arrivals")).json()["arrivals"]
    found = {name: arrival[name] for name in ("method", "path", "query", "status")}
    assert found == {"method": "POST", "path": "/v1/chat/completions", "query": FAST, "status": 200}


def test_an_answer_has_a_length_where_nothing_is_set() -> None:
    """Without knobs a generation has the defaults of the table."""
    assert (plan_generation(NOTHING_SET, None).count, plan_generation(NOTHING_SET, None).per_second) == (20, 100)
