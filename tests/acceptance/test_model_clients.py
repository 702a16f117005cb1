"""Clients of model servers through the queue, with slots in the gateway and with a worker: the mock is the server."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ollama
import openai
import pytest

from tests.acceptance.model_clients import CHAT, CLIENTS, ModelClient, ollama_client, openai_client
from tests.acceptance.model_stack import ENDLESS, LEAVING_SECONDS, ModelStack
from tests.harness import wait_until

clients = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@clients
def test_a_client_gets_its_answer(model: ModelStack, client: ModelClient) -> None:
    """The client reads the whole text."""
    assert client.ask(model.url) == "token1 token2 token3"


@clients
def test_tokens_come_as_they_are_made(model: ModelStack, client: ModelClient) -> None:
    """The client has a token while the model server still makes the others."""
    model.set_model(**ENDLESS)
    texts = client.stream(model.url)
    assert "token1" in [next(texts), next(texts)]
    assert model.stack.in_flight() == 1
    texts.close()


@clients
def test_a_client_that_leaves_frees_its_slot(model: ModelStack, client: ModelClient) -> None:
    """A stream that its reader closes ends at the model server, and the one slot takes the next request."""
    model.set_model(**ENDLESS)
    texts = client.stream(model.url)
    next(texts)
    left_at = time.monotonic()
    texts.close()
    wait_until("the call has ended", lambda: model.stack.in_flight() == 0)
    assert time.monotonic() - left_at < LEAVING_SECONDS
    model.set_model(tokens=1)
    assert client.ask(model.url) == "token1"


@clients
def test_a_failed_post_reaches_the_model_server_once(model: ModelStack, client: ModelClient) -> None:
    """A connection that is reset after the request is a 502, and nothing is sent again."""
    model.set_model(fault="reset")
    with pytest.raises(client.failure) as raised:
        client.ask(model.url)
    assert "502" in str(raised.value)
    assert len(model.posts()) == 1


@clients
def test_a_wait_that_is_too_long_is_the_usual_failure(model: ModelStack, client: ModelClient) -> None:
    """A request that waits for longer than TTL is a 503 of the client's own kind, and does not reach the server."""
    with model.hold_slot():
        with pytest.raises(client.failure) as raised:
            client.ask(model.impatient_url)
        assert len(model.posts()) == 1
    assert "503" in str(raised.value)


def test_openai_shows_why(model: ModelStack) -> None:
    """With `errors = "openai"` the exception has the message, the type and the code of the gateway's error."""
    with (
        model.hold_slot(),
        openai_client(model.impatient_url) as client,
        pytest.raises(openai.InternalServerError) as raised,
    ):
        client.chat.completions.create(**CHAT)
    assert (raised.value.code, raised.value.type) == ("waited-too-long", "server_error")
    assert "no worker took the request within 1 s" in raised.value.message


def test_openai_has_the_reason_without_rules(model: ModelStack) -> None:
    """Without rules the exception's text is the status alone; its response has the gateway's detail."""
    model.set_model(fault="reset")
    with openai_client(model.url) as client, pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(**CHAT)
    assert raised.value.response.json()["detail"]


def test_ollama_shows_why(model: ModelStack) -> None:
    """The exception has the status, and the gateway's problem document as its text."""
    model.set_model(fault="reset")
    with ollama_client(model.url) as client, pytest.raises(ollama.ResponseError) as raised:
        client.chat("mock-small", CHAT["messages"])
    assert raised.value.status_code == 502
    assert "urn:fast-priority:" in raised.value.error


def test_an_attempt_that_was_given_up_does_not_run(model: ModelStack) -> None:
    """A client that gives up waiting and tries again: of its attempts so far only the last one can still run."""
    sent: list[Any] = []
    http_client = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]}, trust_env=False)
    with (
        ThreadPoolExecutor(1) as thread,
        openai_client(model.url, timeout=2, max_retries=20, http_client=http_client) as client,
    ):
        with model.hold_slot():
            answer = thread.submit(lambda: client.chat.completions.create(**CHAT))
            wait_until("it has tried again", lambda: len(sent) >= 2)
            given_up = len(sent) - 1
            wait_until("its first attempt has left the queue", lambda: model.stack.queued() <= 1)
        assert answer.result().choices[0].message.content == "token1 token2"
    calls = len(model.posts()) - 1
    assert 1 <= calls <= len(sent) - given_up


def test_the_model_server_s_429_reaches_the_client(model: ModelStack) -> None:
    """The target's own 429 comes with its Retry-After and its message, as the client's own exception."""
    model.set_model(status=429, fields="X-Limit: tokens")
    with openai_client(model.url) as client, pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(**CHAT)
    assert raised.value.response.headers["retry-after"] == "1"
    assert raised.value.type == "rate_limit_error"


def test_ollama_has_its_other_calls(model: ModelStack) -> None:
    """Lists and /api/generate work through the queue, as a stream as well."""
    with ollama_client(model.url) as client:
        assert [one.model for one in client.list().models] == ["mock-small", "mock-large"]
        parts = list(client.generate("mock-small", "Hello", stream=True))
    assert ("".join(part.response or "" for part in parts), parts[-1].eval_count) == ("token1 token2 token3", 3)


def test_openai_has_its_other_calls(model: ModelStack) -> None:
    """Lists, embeddings and the usage of a stream work through the queue."""
    with openai_client(model.url) as client:
        assert [one.id for one in client.models.list()] == ["mock-small", "mock-large"]
        assert len(client.embeddings.create(model="mock-small", input=["a", "b"]).data) == 2
        chunks = list(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
