"""Judges one case: what the gateway decided and sent, compared with what other servers read. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from fast_priority.scheduling.priority import Priority
from fast_priority.scheduling.rules import TARGET_DOCUMENTATION_PATHS
from tests.fuzz.reading import ReadRequest, in_origin_form, read_by_h11, read_by_httptools
from tests.path_servers import BASE, DIRECT, EXACT, INSIDE, Label

_INSIDE = b"/" + INSIDE.encode()


class Shape(StrEnum):
    """How the tested gateway is configured."""

    UNLISTED = "the listed paths are low"
    LISTED = "the listed paths are high"
    BELOW = "the target's base URL has a path"


class Decision(NamedTuple):
    """The decision of the gateway's rules about one request; `level` None is direct, without the queue."""

    path: bytes
    method: str
    level: Priority | None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """Everything observed about one case."""

    sent: bytes
    decisions: Sequence[Decision]
    arrived: Sequence[bytes]
    """The bytes that the gateway sent to the target, one item a request, in order."""
    is_silent: bool = False
    """Whether the gateway neither answered nor closed the connection."""
    others: Mapping[str, Sequence[ReadRequest]] = field(default_factory=dict)
    """The requests that the other servers read in the same bytes, or forwarded, in order."""
    labels: Mapping[bytes, Mapping[str, Label]] = field(default_factory=dict)
    """For each path with a decision: the label of what each real server serves for it."""
    shape: Shape = Shape.UNLISTED
    labels_below: Mapping[bytes, Mapping[str, Label]] = field(default_factory=dict)
    """The same for each path appended to the path of the base URL, if it has one."""


def find_problems(result: CaseResult) -> list[str]:
    """Return what is wrong, a short text each; empty if every promise is kept."""
    wrong = ["the gateway neither answered nor closed the connection"] if result.is_silent else []
    read = []
    for data in result.arrived:
        by_h11, by_httptools = read_by_h11(data), read_by_httptools(data)
        if by_h11 != by_httptools or len(by_h11.requests) != 1 or by_h11.is_refused or by_h11.is_open:
            wrong.append(f"the parsers do not read exactly one request in what the target received: {data!r:.300}")
        read.append(by_h11.requests)
    arrived = [request for requests in read for request in requests]
    if result.shape is Shape.BELOW:
        wrong += _find_outside_base_path(result, arrived)
        arrived = [one._replace(target=one.target.removeprefix(_INSIDE)) for one in arrived]
    wrong += [
        f"no HTTP/1 request line of the client matches what arrived: {one!r:.200}"
        for one in arrived
        if not _has_request_line(result.sent, one)
    ]
    return [
        *wrong,
        *_find_undecided(result, arrived),
        *_find_raised_priorities(result),
        *_find_other_readings(result, arrived),
    ]


def _has_request_line(sent: bytes, request: ReadRequest) -> bool:
    """Return whether these bytes contain the request's line, as HTTP/1.1 or 1.0 (RFC 9112, section 3)."""
    target = re.escape(request.target)
    as_url = b"(?i:https?)://[^/?# ]+(?:%s|%s)" % (target, re.escape(request.target.removeprefix(b"/")))
    line = b"%s (?:%s|%s) HTTP/1\\.[01]\r\n" % (re.escape(request.method), target, as_url)
    return re.search(line, sent) is not None


def _find_undecided(result: CaseResult, arrived: list[ReadRequest]) -> list[str]:
    """Return the requests at the target without a decision of their own for the same method and path."""
    decided = [(decision.path, decision.method.encode()) for decision in result.decisions]
    wrong = []
    for request in arrived:
        if (request.path, request.method) in decided:
            decided.remove((request.path, request.method))
        else:
            wrong.append(f"no decision was made for what arrived: {request!r:.200}")
    return wrong


def _find_raised_priorities(result: CaseResult) -> list[str]:
    """Return the paths with a higher priority than a server's reading allows, and those that skip the queue wrongly."""
    wrong = []
    for decision in result.decisions:
        for server, label in result.labels.get(decision.path, {}).items():
            is_low = label == "low"
            if result.shape is Shape.LISTED:
                is_low = label in ("other", "inside") and not _is_named_high(decision.path)
            if is_low and decision.level is Priority.HIGH:
                wrong.append(f"{decision.path!r} is high, and {server} serves it as {label}")
            elif label == "low" and decision.level is None:
                wrong.append(f"{decision.path!r} is passed through, and {server} serves it as low")
            elif decision.level is None and label not in ("direct", "nothing") and not _is_named_direct(decision.path):
                wrong.append(f"{decision.path!r} is passed through, and {server} serves it as {label}")
    return wrong


def _find_outside_base_path(result: CaseResult, arrived: list[ReadRequest]) -> list[str]:
    """Return the requests that a server reads as outside the path of the base URL."""
    wrong = [
        f"the target received what is not below the base path: {request!r:.200}"
        for request in arrived
        if request.target != b"*" and re.match(_INSIDE + b"(?![^/?])", request.target) is None
    ]
    paths = {request.path for request in arrived}
    return wrong + [
        f"{path!r} arrived, and {server} serves it as {label}"
        for path in paths
        for server, label in result.labels_below.get(path, {}).items()
        if label not in ("inside", "nothing")
    ]


# Slashes at both ends do not matter to the rules; they do to some servers.
def _is_named_high(path: bytes) -> bool:
    name = unquote_to_bytes(path).strip(b"/")
    return name == EXACT.encode() or name.startswith(BASE.encode())


def _is_named_direct(path: bytes) -> bool:
    return path.strip(b"/").decode("latin-1") in {DIRECT, *(known.strip("/") for known in TARGET_DOCUMENTATION_PATHS)}


def _find_other_readings(result: CaseResult, arrived: list[ReadRequest]) -> list[str]:
    """Return the servers that read other requests; those that a server refuses or answers itself may be missing."""
    in_all = [in_origin_form(request) for request in read_by_httptools(result.sent).requests]
    return [
        f"{name} read {list(requests)!r:.300}, and the gateway {arrived!r:.300}"
        for name, requests in result.others.items()
        if not _is_part_of(arrived, requests)
        and not _is_part_of(requests, arrived)
        and not (_is_part_of(arrived, in_all) and _is_part_of(requests, in_all))
    ]


def _is_part_of(some: Sequence[ReadRequest], more: Sequence[ReadRequest]) -> bool:
    rest = iter(more)
    return all(any(request == other for other in rest) for request in some)
