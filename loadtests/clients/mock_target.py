"""The mock target's own pages, as far as a load test needs them, and the wait until somebody answers.

Every error is a MockError of one sentence.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from loadtests.clients.base_url import Address
from loadtests.records import Arrival, RecordError

# Containers start in any order, and a worker registers some time after its gateway answers.
READY_WITHIN_SECONDS = 60.0
SETTLED_WITHIN_SECONDS = 10.0
_LOOK_SECONDS = 0.1
_PATIENCE_SECONDS = 10.0


class MockError(Exception):
    """Says in one sentence what was asked of whom, and why there is no answer."""


@dataclass(frozen=True, slots=True)
class ArrivalLog:
    """What reached the target since its log was reset, oldest first.

    `dropped` is how many arrivals the log has lost; `max_in_flight` the most requests that were there at once.
    """

    arrivals: tuple[Arrival, ...]
    dropped: int
    max_in_flight: int


def wait_for_answer(url: str, within_seconds: float = READY_WITHIN_SECONDS) -> None:
    """Return once a GET of this URL is answered with success.

    Raises MockError if it never is; at once for what is no URL.
    """
    try:
        Address.of(url)
    except ValueError as error:
        raise MockError(str(error)) from error
    deadline = time.monotonic() + within_seconds
    while True:
        try:
            _call("GET", url)
        except MockError as error:
            if time.monotonic() > deadline:
                raise MockError(f"waited {within_seconds:g} s: {error}") from error
            time.sleep(_LOOK_SECONDS)
        else:
            return


def reset_arrivals(target_url: str) -> None:
    """Empty the arrival log of the mock target. Raises MockError."""
    _call("DELETE", _arrivals_url(target_url))


def read_arrivals(target_url: str) -> ArrivalLog:
    """Read the arrival log of the mock target, but for requests without an id. Raises MockError."""
    url = _arrivals_url(target_url)
    try:
        log = json.loads(_call("GET", url))
        return ArrivalLog(
            arrivals=tuple(Arrival.from_dict(one) for one in log["arrivals"] if one["request_id"] is not None),
            dropped=int(log["dropped"]),
            max_in_flight=int(log["max_in_flight"]),
        )
    except (ValueError, KeyError, TypeError, RecordError) as error:
        raise MockError(f"GET {url} gives no arrival log; is it the mock target? ({error!r})") from error


def read_settled_arrivals(target_url: str, within_seconds: float = SETTLED_WITHIN_SECONDS) -> ArrivalLog:
    """Read the arrival log once nothing is in flight any more, or after so many seconds all the same.

    Raises MockError.
    """
    deadline = time.monotonic() + within_seconds
    while True:
        log = read_arrivals(target_url)
        if all(arrival.finished_at is not None for arrival in log.arrivals) or time.monotonic() > deadline:
            return log
        time.sleep(_LOOK_SECONDS)


def _arrivals_url(target_url: str) -> str:
    return target_url.rstrip("/") + "/__admin/arrivals"


def _call(method: str, url: str) -> bytes:
    # No proxy variable may lead a call between parts of one test elsewhere.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        request = urllib.request.Request(url, method=method)  # noqa: S310 - the person who runs this gave the URL
        with opener.open(request, timeout=_PATIENCE_SECONDS) as response:
            body: bytes = response.read()
            return body
    except urllib.error.HTTPError as error:
        error.close()
        raise MockError(f"{method} {url} is answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise MockError(f"{method} {url} has no answer: {reason}") from error
