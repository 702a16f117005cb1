"""The models that a mock names: OpenAI's GET /v1/models and Ollama's GET /api/tags. Pure."""

from mock_target.responses import MockResponse, json_response

MODELS = ("mock-small", "mock-large")
# Any name is answered; these are for clients that choose from a list.
_CREATED_AT = 1_700_000_000
_MODIFIED_AT = "2023-11-14T22:13:20Z"
_SIZE_BYTES = 1_000_000_000


def list_for_openai() -> MockResponse:
    """Return the models in OpenAI's form."""
    data = [{"id": name, "object": "model", "created": _CREATED_AT, "owned_by": "mock-target"} for name in MODELS]
    return json_response(200, {"object": "list", "data": data})


def list_for_ollama() -> MockResponse:
    """Return the models in Ollama's form."""
    details = {
        "parent_model": "",
        "format": "gguf",
        "family": "mock",
        "families": ["mock"],
        "parameter_size": "1B",
        "quantization_level": "Q4_0",
    }
    models = [
        {
            "name": name,
            "model": name,
            "modified_at": _MODIFIED_AT,
            "size": _SIZE_BYTES,
            "digest": f"{number:064x}",
            "details": details,
        }
        for number, name in enumerate(MODELS, start=1)
    ]
    return json_response(200, {"models": models})
