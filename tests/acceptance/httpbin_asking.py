"""Sends requests to httpbin with `requests`, and records the responses so that two ways to it can be compared.

Whatever differs between two ways by its nature, or between any two answers by chance, is levelled here and nowhere
else; each rule says why.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

Read = Callable[[requests.Response], Any]
_WHOLE_TIMEOUT_SECONDS = 60

# RFC 9110, section 7.6.1: these belong to one connection. Via (section 7.6.3) names the intermediaries.
# Server-Timing and X-Request-ID are what the gateway says of each request.
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "via", "server-timing", "x-request-id"}
# httpbin echoes what reached it: also the fields in which the gateway describes the client (RFC 7239 and older ones).
_NOT_ECHOED_ALIKE = _OF_THE_CONNECTION | {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
# The time when an answer was made differs between two answers.
_DATES = {"date", "last-modified"}
# The server chooses the reason phrase, since ASGI has none; werkzeug writes capitals, and one older phrase.
_OTHER_WORDS = {"network authentication failed": "network authentication required"}
# Nonces, boundaries and identifiers are random, and differ each time.
_DRAWN = re.compile(rb"\b(?:[0-9a-f]{32,128}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")


class Fresh:
    """A value that can be used for one request only, such as an iterator or a Digest handshake: each gets a new one."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make


def content(response: requests.Response) -> Any:
    """Read the body whole."""
    return response.content


@dataclass(frozen=True)
class Ask:
    """One call of requests; `status` is what httpbin answers at the end, or the name of what requests raises."""

    method: str
    path: str
    status: int | str
    options: Mapping[str, Any]
    read: Read = content


@dataclass(frozen=True)
class Case:
    """Calls in one session, which `prepare` sets up."""

    name: str
    asks: tuple[Ask, ...]
    prepare: Callable[[requests.Session], Any] = lambda session: None


@dataclass
class Seen:
    """What one case received: everything comparable of each response, redirects included."""

    statuses: list[int | str] = field(default_factory=list)
    """How each call ended."""
    responses: list[dict[str, Any]] = field(default_factory=list)
    cookies: list[tuple[str, bytes, str]] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    """The paths of all requests, as written in the request lines."""


def see(case: Case, url: str, target_url: str) -> Seen:
    """Run a case against `url`, which leads to httpbin at `target_url`."""
    seen = Seen()
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no password from the environment
        case.prepare(session)
        for ask in case.asks:
            _see_one(ask, session, url, target_url, seen)
        seen.cookies = sorted((one.name, _level((one.value or "").encode(), ()), one.path) for one in session.cookies)
    return seen


def _see_one(ask: Ask, session: requests.Session, url: str, target_url: str, seen: Seen) -> None:
    options = {name: value.make() if isinstance(value, Fresh) else value for name, value in ask.options.items()}
    options.setdefault("timeout", _WHOLE_TIMEOUT_SECONDS)
    host = url.removeprefix("http://")
    asked = ask.path.replace("{host}", host) if "{host}" in ask.path else url + ask.path
    try:
        response = session.request(ask.method, asked, **options)
        body = ask.read(response)
    except requests.RequestException as error:
        seen.statuses.append(type(error).__name__)
        if isinstance(error.request, requests.PreparedRequest):
            seen.paths.add(_path(error.request))
        given = error.response  # after too many redirects: the last one
        responses = [] if given is None else [*((one, one.content) for one in given.history), (given, given.content)]
    else:
        seen.statuses.append(response.status_code)
        responses = [*((one, one.content) for one in response.history), (response, body)]
    for one, its_body in responses:
        seen.paths.add(_path(one.request))
        seen.responses.append(_told(one, its_body, [url, target_url]))


def _path(request: requests.PreparedRequest) -> str:
    return request.path_url.partition("?")[0]


def _told(response: requests.Response, body: Any, origins: Iterable[str]) -> dict[str, Any]:
    """Return everything in a response that must be the same on both ways."""
    body = b"\n".join(body) if isinstance(body, list) else body
    has_body = response.request.method != "HEAD" and response.status_code not in (204, 304)
    fields = [
        (name.lower(), _level(value.encode("latin-1"), origins))
        for name, value in response.raw.headers.items()
        if name.lower() not in _OF_THE_CONNECTION
    ]
    for place, (name, _) in enumerate(fields):
        if name in _DATES:
            fields[place] = (name, b"a date")
        elif name == "content-length" and has_body:
            fields[place] = (name, b"the body's")  # urllib3 raises otherwise
    words = (response.reason or "").casefold().replace("-", " ")
    return {
        "method": response.request.method,
        "url": _level((response.url or "").encode(), origins),
        "status": response.status_code,
        "reason": _OTHER_WORDS.get(words, words),
        # Fields in any order, but the lines of one field in their own order (RFC 9110, section 5.3).
        "fields": sorted(fields, key=lambda line: line[0]),
        "body": _level(_alike(body) if isinstance(body, bytes) else repr(body).encode(), origins),
    }


def _level(text: bytes, origins: Iterable[str]) -> bytes:
    # The client calls the gateway by its address; httpbin knows its own.
    for origin in origins:
        host = origin.removeprefix("http://").encode()
        text = text.replace(host, b"HOST")
    return _DRAWN.sub(b"DRAWN", text)


def _alike(body: bytes) -> bytes:
    """Make an echo, or lines of echoes, comparable; leave every other body as it is, byte for byte."""
    if b'"headers"' not in body:
        return body
    try:
        return json.dumps(_echo(json.loads(body))).encode()
    except ValueError:
        try:
            return b"\n".join(json.dumps(_echo(json.loads(line))).encode() for line in body.splitlines())
        except ValueError:
            return body


def _echo(echo: Any) -> Any:
    if isinstance(echo, dict) and isinstance(echo.get("headers"), dict):
        headers = {name: value for name, value in echo["headers"].items() if name.lower() not in _NOT_ECHOED_ALIKE}
        # The origin is the address of the peer, or the one in a field.
        return {**echo, "headers": headers, **({"origin": "the peer"} if "origin" in echo else {})}
    return echo


def differences(direct: Seen, through: Seen) -> list[str]:
    """Return a line for each difference between the direct way and the way through the gateway."""
    found = []
    if through.statuses != direct.statuses:
        found.append(f"calls ended with {through.statuses}, direct {direct.statuses}")
    if through.cookies != direct.cookies:
        found.append(f"cookies {through.cookies}, direct {direct.cookies}")
    if len(through.responses) != len(direct.responses):
        found.append(f"{len(through.responses)} responses, direct {len(direct.responses)}")
    for place, (one, other) in enumerate(zip(direct.responses, through.responses, strict=False)):
        for name in one:
            expected, got = one[name], other[name]
            if name == "reason" and not (expected and got):
                continue  # HTTP/1.1 lets it be empty, and HTTP/2 has none
            if name == "fields" and "content-length" not in dict(expected):
                got = [given for given in got if given[0] != "content-length"]  # or chunks: both are right
            if name == "fields":  # a redirect to the target itself leads to the same path at the gateway
                expected = [
                    (field, value.removeprefix(b"http://HOST") if field == "location" else value)
                    for field, value in expected
                ]
            if got != expected:
                found.append(f"response {place + 1}: {name} {got!r}, direct {expected!r}")
    return found
