"""The verdict on one case: what the gateway decided and sent, beside what others made of the same bytes. Pure."""

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
    """How the gateway that is tried is set up."""

    UNLISTED = "the named paths are low"
    LISTED = "the named paths are high"
    BELOW = "the target is below a path"


class Decision(NamedTuple):
    """What the gateway's rules said of one request."""

    path: bytes
    method: str
    level: Priority | None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that came of one case."""

    sent: bytes
    decisions: Sequence[Decision]
    arrived: Sequence[bytes]
    """What the gateway sent to the target, in order: the bytes of one request each."""
    is_silent: bool = False
    """Whether the gateway neither answered nor closed."""
    others: Mapping[str, Sequence[ReadRequest]] = field(default_factory=dict)
    """The requests that others read in the same bytes, or sent on for them, in order."""
    labels: Mapping[bytes, Mapping[str, Label]] = field(default_factory=dict)
    """For each path that was decided on: what real servers serve it as."""
    shape: Shape = Shape.UNLISTED
    labels_below: Mapping[bytes, Mapping[str, Label]] = field(default_factory=dict)
    """The same for each path behind the path of the base URL, if the target is below one."""


def findings(seen: Seen) -> list[str]:
    """Return what is wrong, in a few words each; nothing if all is as promised."""
    wrong = ["the gateway neither answered nor closed"] if seen.is_silent else []
    read = []
    for data in seen.arrived:
        by_h11, by_httptools = read_by_h11(data), read_by_httptools(data)
        if by_h11 != by_httptools or len(by_h11.requests) != 1 or by_h11.is_refused or by_h11.is_open:
            wrong.append(f"what the target received is not one request for everybody: {data!r:.300}")
        read.append(by_h11.requests)
    arrived = [request for requests in read for request in requests]
    if seen.shape is Shape.BELOW:
        wrong += _outside(seen, arrived)
        arrived = [one._replace(target=one.target.removeprefix(_INSIDE)) for one in arrived]
    wrong += [
        f"no line of HTTP/1 asks for what arrived: {one!r:.200}" for one in arrived if not _is_asked(seen.sent, one)
    ]
    return [*wrong, *_undecided(seen, arrived), *_raised(seen), *_read_otherwise(seen, arrived)]


def _is_asked(sent: bytes, request: ReadRequest) -> bool:
    """Whether a request line of HTTP/1.1 or 1.0 in these bytes is the request's (RFC 9112, section 3)."""
    target = re.escape(request.target)
    as_url = b"(?i:https?)://[^/?# ]+(?:%s|%s)" % (target, re.escape(request.target.removeprefix(b"/")))
    line = b"%s (?:%s|%s) HTTP/1\\.[01]\r\n" % (re.escape(request.method), target, as_url)
    return re.search(line, sent) is not None


def _undecided(seen: Seen, arrived: list[ReadRequest]) -> list[str]:
    """Each request at the target is one that was decided on, by the same method and path, and once."""
    decided = [(decision.path, decision.method.encode()) for decision in seen.decisions]
    wrong = []
    for request in arrived:
        if (request.path, request.method) in decided:
            decided.remove((request.path, request.method))
        else:
            wrong.append(f"no decision was made for what arrived: {request!r:.200}")
    return wrong


def _raised(seen: Seen) -> list[str]:
    """No path has a higher level than what a server takes it for, and none skips the queue that is not direct there."""
    wrong = []
    for decision in seen.decisions:
        for server, label in seen.labels.get(decision.path, {}).items():
            is_low = label == "low"
            if seen.shape is Shape.LISTED:
                is_low = label in ("other", "inside") and not _is_named_high(decision.path)
            if is_low and decision.level is Priority.HIGH:
                wrong.append(f"{decision.path!r} is high, and {server} serves it as {label}")
            elif label == "low" and decision.level is None:
                wrong.append(f"{decision.path!r} is passed through, and {server} serves it as low")
            elif decision.level is None and label not in ("direct", "nothing") and not _is_named_direct(decision.path):
                wrong.append(f"{decision.path!r} is passed through, and {server} serves it as {label}")
    return wrong


def _outside(seen: Seen, arrived: list[ReadRequest]) -> list[str]:
    """No request leaves the path of the base URL, in the reading of any server."""
    wrong = [
        f"the target received what is not below the base path: {request!r:.200}"
        for request in arrived
        if request.target != b"*" and re.match(_INSIDE + b"(?![^/?])", request.target) is None
    ]
    paths = {request.path for request in arrived}
    return wrong + [
        f"{path!r} arrived, and {server} serves it as {label}"
        for path in paths
        for server, label in seen.labels_below.get(path, {}).items()
        if label not in ("inside", "nothing")
    ]


# Slashes at either end mean nothing to the rules, and something to some servers.
def _is_named_high(path: bytes) -> bool:
    name = unquote_to_bytes(path).strip(b"/")
    return name == EXACT.encode() or name.startswith(BASE.encode())


def _is_named_direct(path: bytes) -> bool:
    return path.strip(b"/").decode("latin-1") in {DIRECT, *(known.strip("/") for known in TARGET_DOCUMENTATION_PATHS)}


def _read_otherwise(seen: Seen, arrived: list[ReadRequest]) -> list[str]:
    """All who read requests in the same bytes read the same ones, less those that they refuse or answer themselves."""
    in_all = [in_origin_form(request) for request in read_by_httptools(seen.sent).requests]
    return [
        f"{name} read {list(requests)!r:.300}, and the gateway {arrived!r:.300}"
        for name, requests in seen.others.items()
        if not _is_part_of(arrived, requests)
        and not _is_part_of(requests, arrived)
        and not (_is_part_of(arrived, in_all) and _is_part_of(requests, in_all))
    ]


def _is_part_of(some: Sequence[ReadRequest], more: Sequence[ReadRequest]) -> bool:
    rest = iter(more)
    return all(any(request == other for other in rest) for request in some)
