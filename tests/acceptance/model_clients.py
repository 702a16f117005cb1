"""The clients that people use for model servers, all with the same few calls."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx
import ollama
import openai
import requests

from tests.harness import CLIENT_OPTIONS

MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]
CHAT: dict[str, Any] = {"model": "mock-small", "messages": MESSAGES}
PATIENCE_SECONDS = 60.0

Texts = Generator[str, None, None]
"""The texts of a stream; closing it is how its reader leaves."""


class ModelClient(NamedTuple):
    """One client: `stream` and `ask` send a chat to a gateway's URL, `failure` is what both raise for a 5xx."""

    name: str
    stream: Callable[[str], Texts]
    ask: Callable[[str], str]
    failure: type[Exception]


@contextmanager
def openai_client(url: str, **options: Any) -> Iterator[openai.OpenAI]:
    """Yield a client that tries once, unless the options say otherwise."""
    options = {"max_retries": 0, "timeout": PATIENCE_SECONDS, "api_key": "no-key", **options}
    with openai.OpenAI(base_url=f"{url}/v1", **options) as client:
        yield client


@contextmanager
def ollama_client(url: str) -> Iterator[ollama.Client]:
    with ollama.Client(url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        yield client


def _openai_stream(url: str) -> Texts:
    with openai_client(url) as client, client.chat.completions.create(**CHAT, stream=True) as stream:
        for chunk in stream:
            yield chunk.choices[0].delta.content or ""


def _openai_ask(url: str) -> str:
    with openai_client(url) as client:
        return client.chat.completions.create(**CHAT).choices[0].message.content or ""


def _ollama_stream(url: str) -> Texts:
    with ollama_client(url) as client:
        # Its iterator is a generator, and ends the call when it is deleted.
        for part in client.chat("mock-small", MESSAGES, stream=True):
            yield part.message.content or ""


def _ollama_ask(url: str) -> str:
    with ollama_client(url) as client:
        return client.chat("mock-small", MESSAGES).message.content or ""


def stream_with_httpx(url: str) -> Texts:
    with (
        httpx.Client(**CLIENT_OPTIONS) as client,
        client.stream("POST", f"{url}/v1/chat/completions", json={**CHAT, "stream": True}) as response,
    ):
        response.raise_for_status()
        yield from _texts(response.iter_lines())


def _httpx_ask(url: str) -> str:
    with httpx.Client(**CLIENT_OPTIONS) as client:
        response = client.post(f"{url}/v1/chat/completions", json=CHAT).raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"])


def _requests_stream(url: str) -> Texts:
    with _requests_post(url, stream=True) as response:
        response.raise_for_status()
        yield from _texts(line.decode() for line in response.iter_lines())


def _requests_ask(url: str) -> str:
    response = _requests_post(url)
    response.raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"])


def _requests_post(url: str, stream: bool = False) -> requests.Response:
    body = {**CHAT, "stream": stream}
    return requests.post(f"{url}/v1/chat/completions", json=body, stream=stream, timeout=PATIENCE_SECONDS)


def _texts(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("data: {"):
            yield json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content", "")


CLIENTS = [
    ModelClient("openai", _openai_stream, _openai_ask, openai.InternalServerError),
    ModelClient("ollama", _ollama_stream, _ollama_ask, ollama.ResponseError),
    ModelClient("httpx", stream_with_httpx, _httpx_ask, httpx.HTTPStatusError),
    ModelClient("requests", _requests_stream, _requests_ask, requests.HTTPError),
]
