"""Which requests are for a model server, and the answer to each. Pure.

    POST /v1/chat/completions, /v1/embeddings     OpenAI's API
    GET  /v1/models
    POST /api/chat, /api/generate                 Ollama's API
    GET  /api/tags

Other methods on these paths are echoed, as any other request.
"""

import math
from typing import NamedTuple

from mock_target.model_server.api_errors import Api, error_response
from mock_target.model_server.json_body import BadModelRequest, read_object
from mock_target.model_server.model_lists import list_for_ollama, list_for_openai
from mock_target.model_server.ollama_text import chat, generate
from mock_target.model_server.openai_chat import complete_chat
from mock_target.model_server.openai_embeddings import embed
from mock_target.responses import Fields, MockResponse, ReceivedRequest
from mock_target.settings import Behaviour


class Origin(NamedTuple):
    """Which arrival is answered, when it came (unix seconds), and for how long the model has been loading by then."""

    number: int
    created_at: int
    loading_seconds: float


_APIS = {
    b"/v1/chat/completions": Api.OPENAI,
    b"/v1/embeddings": Api.OPENAI,
    b"/v1/models": Api.OPENAI,
    b"/api/chat": Api.OLLAMA,
    b"/api/generate": Api.OLLAMA,
    b"/api/tags": Api.OLLAMA,
}
_LISTS = {b"/v1/models": list_for_openai, b"/api/tags": list_for_ollama}


def answer_as_model_server(
    request: ReceivedRequest, behaviour: Behaviour, status: int | None, origin: Origin
) -> MockResponse | None:
    """Return the model server's answer, an error where `status` is one; None: the request is not for a model server."""
    api = _api_of(request.method, request.raw_path)
    if api is None:
        return None
    if status is not None and status >= 400:
        return error_response(
            api, status, f"the mock target is set to answer {status}", _wait_fields(status, behaviour)
        )
    if request.raw_path in _LISTS:
        return _LISTS[request.raw_path]()
    if behaviour.load_seconds is not None and origin.loading_seconds < behaviour.load_seconds:
        left_seconds = math.ceil(behaviour.load_seconds - origin.loading_seconds)
        return error_response(api, 503, "Loading model", [(b"retry-after", b"%d" % left_seconds)])
    try:
        return _answer(request, behaviour, origin)
    except BadModelRequest as error:
        return error_response(api, error.status, str(error), [], error.parameter)


def refuse_as_model_server(
    method: str, raw_path: bytes, status: int, message: str, fields: Fields
) -> MockResponse | None:
    """Return a refusal in the shape of the API; None: the request is not for a model server."""
    api = _api_of(method, raw_path)
    return None if api is None else error_response(api, status, message, fields)


def _api_of(method: str, raw_path: bytes) -> Api | None:
    api = _APIS.get(raw_path)
    methods = ("GET", "HEAD") if raw_path in _LISTS else ("POST",)
    return api if method in methods else None


def _answer(request: ReceivedRequest, behaviour: Behaviour, origin: Origin) -> MockResponse:
    members = read_object(request.body.content)
    if request.raw_path == b"/v1/chat/completions":
        return complete_chat(members, behaviour, origin.number, origin.created_at)
    if request.raw_path == b"/v1/embeddings":
        return embed(members)
    if request.raw_path == b"/api/chat":
        return chat(members, behaviour, origin.created_at)
    return generate(members, behaviour, origin.created_at)


def _wait_fields(status: int, behaviour: Behaviour) -> Fields:
    if status not in {429, 503}:
        return []
    return [(b"retry-after", b"%d" % (behaviour.retry_after or 0))]
