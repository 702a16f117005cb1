"""litellm through the queue, in an environment of its own: it needs 60 packages, some of them in other versions."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.acceptance.model_stack import ENDLESS, LEAVING_SECONDS, ModelStack
from tests.harness import wait_until

PYTHON = os.environ.get("LITELLM_PYTHON")
PATIENCE_SECONDS = 60
# Each text of a stream is a line of JSON; a failure is an object.
SCRIPT = """
import json, sys, litellm
litellm.suppress_debug_info = True
model, base = sys.argv[1:]
messages = [{"role": "user", "content": "Hello"}]
try:
    stream = litellm.completion(model, messages, api_base=base, api_key="no-key", stream=True, max_retries=0)
    for chunk in stream:
        print(json.dumps(chunk.choices[0].delta.content), flush=True)
except Exception as error:
    print(json.dumps({"kind": type(error).__name__, "status": error.status_code}), flush=True)
"""

pytestmark = pytest.mark.skipif(PYTHON is None, reason="litellm has an environment of its own: nox -s litellm")
apis = pytest.mark.parametrize(("name", "path"), [("openai", "/v1"), ("ollama_chat", "")])


@contextmanager
def streaming(name: str, base: str) -> Iterator[IO[str]]:
    """Yield the output of a litellm that streams a chat; end it."""
    assert PYTHON is not None
    command = [PYTHON, "-c", SCRIPT, f"{name}/mock-small", base]
    # Its list of prices comes from the package, not from the internet.
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as one:
        assert one.stdout is not None
        try:
            yield one.stdout
        finally:
            one.kill()


@apis
def test_tokens_come_as_they_are_made(model: ModelStack, name: str, path: str) -> None:
    """A token is there while others are made; when the client is killed, its call ends and its slot is free."""
    model.set_model(**ENDLESS)
    with streaming(name, model.url + path) as lines:
        texts = [json.loads(next(lines)), json.loads(next(lines))]
        assert "token1" in texts
        assert model.stack.in_flight() == 1
        left_at = time.monotonic()
    wait_until("the call has ended", lambda: model.stack.in_flight() == 0)
    assert time.monotonic() - left_at < LEAVING_SECONDS


@apis
def test_a_failed_post_is_the_usual_failure(model: ModelStack, name: str, path: str) -> None:
    """A connection that is reset is an exception of litellm's own, and its call reached the model server once."""
    route = {"path": "/v1/chat/completions" if path else "/api/chat", "fault": "reset"}
    model.set_model(routes=[route])
    with streaming(name, model.url + path) as lines:
        failure = json.loads(next(lines))
    assert failure["status"] >= 500
    assert len([one for one in model.posts() if one["path"] == route["path"]]) == 1
