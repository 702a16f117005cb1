"""The client of the mock target's API.

Every error is a MockTargetError with one sentence.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from loadtests.records import Arrival, RecordError

SETTLED_WITHIN_SECONDS = 10.0
_POLL_SECONDS = 0.1
_TIMEOUT_SECONDS = 10.0


class MockTargetError(Exception):
    """A request failed; the message says in one sentence which, and why.

    `status` is that of the response, if there was one.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class TargetLog:
    """The target's arrival log since its last reset, oldest first.

    `dropped` is how many arrivals the log has dropped; `max_in_flight` is the maximum of concurrent requests.
    """

    arrivals: tuple[Arrival, ...]
    dropped: int
    max_in_flight: int


def reset_arrivals(target_url: str) -> None:
    """Empty the arrival log of the mock target. Raises MockTargetError."""
    call("DELETE", _arrivals_url(target_url))


def read_arrivals(target_url: str) -> TargetLog:
    """Return the arrival log of the mock target, without requests that have no id. Raises MockTargetError."""
    url = _arrivals_url(target_url)
    try:
        log = json.loads(call("GET", url))
        return TargetLog(
            arrivals=tuple(Arrival.from_dict(one) for one in log["arrivals"] if one["request_id"] is not None),
            dropped=int(log["dropped"]),
            max_in_flight=int(log["max_in_flight"]),
        )
    except (ValueError, KeyError, TypeError, RecordError) as error:
        raise MockTargetError(
            f"GET {url} does not return the arrival log of the mock target ({error!r})", HTTPStatus.OK
        ) from error


def read_settled_arrivals(target_url: str, within_seconds: float = SETTLED_WITHIN_SECONDS) -> TargetLog:
    """Return the arrival log once nothing is in flight, or after `within_seconds` in any case.

    Raises MockTargetError.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        log = read_arrivals(target_url)
        if all(arrival.finished_at is not None for arrival in log.arrivals) or time.monotonic() > deadline:
            return log
        time.sleep(_POLL_SECONDS)


def _arrivals_url(target_url: str) -> str:
    return target_url.rstrip("/") + "/__admin/arrivals"


def call(method: str, url: str, fields: Mapping[str, str] = {}) -> bytes:
    """Send a request and return the body of its response. Raises MockTargetError, also for a status over 299."""
    # Ignore proxy variables: these requests stay between the parts of one test.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, method=method, headers=dict(fields))  # noqa: S310 - the person who runs this gave the URL
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        error.close()
        raise MockTargetError(f"{method} {url} returns {error.code} {error.reason}", error.code) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise MockTargetError(f"{method} {url} failed: {reason}") from error
