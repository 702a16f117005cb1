"""What a request to a model server asks for, read from its JSON body. Pure."""

import json

MAX_NAME_CHARACTERS = 200


class BadModelRequest(Exception):
    """The body cannot be used: a message that says what to write, the member that is wrong, and the status."""

    def __init__(self, message: str, parameter: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.status = status


def read_object(content: bytes | None) -> dict[str, object]:
    """Return the members of a body (None: one that was too long to keep). Raises BadModelRequest."""
    if content is None:
        raise BadModelRequest("the body is too long for the mock target: send at most 16 MiB", status=413)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadModelRequest(f"the body is not JSON: write one JSON object ({error})") from None
    if not isinstance(document, dict):
        raise BadModelRequest('the body is not a JSON object: write one like {"model": "mock-small"}')
    return document


def read_model(members: dict[str, object]) -> str:
    """Return the name of the model, any of 1 to 200 characters. Raises BadModelRequest."""
    model = members.get("model")
    if not isinstance(model, str) or not 1 <= len(model) <= MAX_NAME_CHARACTERS:
        raise BadModelRequest(f"model: write the name of a model, 1 to {MAX_NAME_CHARACTERS} characters", "model")
    return model


def read_flag(members: dict[str, object], name: str, default: bool) -> bool:
    """Return a member that is true or false; `default` where it is absent or null. Raises BadModelRequest."""
    value = members.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise BadModelRequest(f"{name}: write true or false", name)
    return value


def read_count(members: dict[str, object], name: str, lowest: int, highest: int) -> int | None:
    """Return a whole number within these ends; None where it is absent or null. Raises BadModelRequest."""
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise BadModelRequest(f"{name}: write a whole number from {lowest} to {highest}", name)
    return value


def read_members(members: dict[str, object], name: str) -> dict[str, object]:
    """Return a member that is an object; an empty one where it is absent or null. Raises BadModelRequest."""
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadModelRequest(f"{name}: write a JSON object", name)
    return value


def count_prompt_tokens(members: dict[str, object]) -> int:
    """Return the length of a chat's `messages`, one token a word. Raises BadModelRequest."""
    messages = members.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise BadModelRequest('messages: write a list like [{"role": "user", "content": "Hello"}]', "messages")
    return sum(count_words(message.get("content")) for message in messages)


def count_words(content: object) -> int:
    """Return the words of a text, or of the text parts of a list; anything else has none."""
    if isinstance(content, str):
        return len(content.split())
    if isinstance(content, list):
        return sum(count_words(part.get("text")) for part in content if isinstance(part, dict))
    return 0
