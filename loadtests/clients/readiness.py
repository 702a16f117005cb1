"""The wait until gateway and mock target are ready, and the error if what answers is something else.

A server that is not there yet, or says that it is not ready, is waited for. An answer that will not change ends the
wait at once.
"""

import contextlib
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus

from loadtests.clients.base_url import BaseUrl
from loadtests.clients.mock_target import MockTargetError, call, read_arrivals, reset_arrivals

# Servers that are started beside a check need some seconds.
READY_WITHIN_SECONDS = 10.0
_POLL_SECONDS = 0.1
_NOT_READY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


def wait_until_responds(url: str, within_seconds: float, say: Callable[[str], None]) -> None:
    """Wait until a GET of this URL has any response that does not say "not ready" (408, 429, 5xx).

    `say` gets a sentence when the wait begins, and when its reason changes. Raises MockTargetError.
    """
    with contextlib.suppress(_Final):
        _wait_until(url, lambda: call("GET", url), within_seconds, say)


def wait_until_mock_target(target_url: str, within_seconds: float, say: Callable[[str], None]) -> None:
    """Wait until the mock target answers with its arrival log, and empty the log.

    Raises MockTargetError, at once if something else answers.
    """
    try:
        _wait_until(target_url, lambda: read_arrivals(target_url), within_seconds, say)
    except _Final as error:
        raise MockTargetError(
            f"{target_url} is not the mock target: {error}. Its arrival log is the evidence: run `fast-priority "
            "mock-target` behind the gateway in place of your API, and name its address with --target-url; or judge "
            "records of your own API with `fast-priority loadtest judge`"
        ) from error
    reset_arrivals(target_url)


def wait_until_forwards(
    url: str, path: str, option: str, target_url: str, within_seconds: float, say: Callable[[str], None]
) -> None:
    """Wait until the gateway at `url` forwards this path to the mock target. `option` is the one that names the path.

    Raises MockTargetError, at once if the gateway answers with something else.
    """
    request_id = f"ready-{uuid.uuid4().hex}"
    request_url = url.rstrip("/") + path
    fields = {"X-Request-ID": request_id, "X-Mock-Latency": "0"}
    try:
        _wait_until(url, lambda: call("GET", request_url, fields), within_seconds, say)
    except _Final as error:
        raise MockTargetError(
            f"{error}: name a path with {option} that the gateway at {url} forwards to the mock target"
        ) from error
    if all(arrival.request_id != request_id for arrival in read_arrivals(target_url).arrivals):
        raise MockTargetError(
            f"GET {request_url} has a response, but the request did not reach the mock target at {target_url} with "
            f"its X-Request-ID: let the gateway at {url} forward {path} to it, and pass this field on"
        )


class _Final(MockTargetError):
    """A response that will be the same later."""


def _wait_until(url: str, attempt: Callable[[], object], within_seconds: float, say: Callable[[str], None]) -> None:
    """Try until it succeeds. Raise the last MockTargetError after `within_seconds`, or _Final at once."""
    try:
        BaseUrl.parse(url)
    except ValueError as error:
        raise MockTargetError(str(error)) from error
    deadline = time.monotonic() + within_seconds
    said = ""
    while True:
        try:
            attempt()
        except MockTargetError as error:
            if error.status is not None and error.status < 500 and error.status not in _NOT_READY:
                raise _Final(str(error), error.status) from error
            if time.monotonic() > deadline:
                raise MockTargetError(f"waited {within_seconds:g} s: {error}", error.status) from error
            if said != str(error):
                said = str(error)
                say(f"waiting for {within_seconds:g} s at most: {said}")
            time.sleep(_POLL_SECONDS)
        else:
            return
