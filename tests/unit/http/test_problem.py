"""Errors as responses, in both forms."""

import json

import pytest

from fast_priority.errors import GatewayError, KeyRequired, QueueFull, RefusedByRule, TargetTimeout
from fast_priority.http.problem import problem_reply


def refused(status: int) -> RefusedByRule:
    error = RefusedByRule("a rule refuses it")
    error.status = status
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refused(403), "permission_error"),
        (refused(404), "invalid_request_error"),
        (refused(429), "rate_limit_error"),
        (KeyRequired("a key"), "authentication_error"),
        (QueueFull("full"), "server_error"),
        (TargetTimeout("slow"), "server_error"),
    ],
)
def test_form_of_openai(error: GatewayError, kind: str) -> None:
    """With the form `openai`, an error has the member that clients of OpenAI's API show, and all others as well."""
    plain, found = (json.loads(problem_reply(error, request_id="r1", form=form).body) for form in ("problem", "openai"))
    assert found.pop("error") == {"message": error.detail, "type": kind, "code": error.slug}
    assert found == plain
    assert (plain["status"], plain["request_id"]) == (error.status, "r1")


def test_a_challenge() -> None:
    """A 401 has WWW-Authenticate (RFC 9110, section 15.5.2)."""
    error = KeyRequired("a key")
    error.challenge = 'Bearer realm="fast-priority"'
    reply = problem_reply(error)
    assert (reply.status, dict(reply.fields)[b"www-authenticate"]) == (401, b'Bearer realm="fast-priority"')
