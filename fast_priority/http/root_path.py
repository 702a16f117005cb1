"""The path of a request below the prefix at which the application is mounted: ASGI's `root_path`.

By ASGI, `path` and `raw_path` begin with the prefix. uvicorn puts its `--root-path` in front of the path that came;
Starlette's Mount leaves both as they came. Some servers leave the prefix out of one of them.
"""

import re
from urllib.parse import quote, unquote

_PATH_CHARACTERS = "/:@!$&'()*+,;=~-._"  # what needs no encoding in a path (RFC 3986, section 3.3)
_ENCODED_OCTET = re.compile(rb"%([0-9A-Fa-f]{2})")
_ENCODED_OCTET_BYTES = 3


def path_below(path: str, root_path: str) -> str:
    """Return a decoded path without the prefix, or all of it if it does not begin with the prefix.

    Only whole segments count: `/gwx` is not below `/gw`. The result begins with a slash.
    """
    if not root_path:
        return path
    for prefix in (root_path, root_path.rstrip("/")):
        rest = path.removeprefix(prefix)
        if prefix and path.startswith(prefix) and (not rest or rest[0] == "/"):
            return rest or "/"
    return path


def raw_path_below(raw_path: bytes | None, path: str, root_path: str) -> bytes:
    """Return the path without the prefix as it was sent, with its percent-encoding. `path` is the whole decoded path.

    If there is no `raw_path`, or a middleware has changed only `path`, the result is made from `path`.
    """
    below = path_below(path, root_path)
    if raw_path is not None:
        for prefix in ("", root_path, root_path.rstrip("/")):
            rest = _behind(raw_path, prefix.encode(errors="replace"))
            if rest is not None and unquote(rest.decode("latin-1")) == below:
                return rest
    return quote(below, safe=_PATH_CHARACTERS, errors="replace").encode()


def request_target(raw_path: bytes, query: bytes, raw_target: bytes | None) -> bytes:
    """Return path and query as a request line has them.

    `raw_target` is the target in the client's own request line, if known: it shows whether there is an empty query.
    """
    has_query = bool(query) or (raw_target is not None and raw_target.partition(b"?")[1:] == (b"?", b""))
    return raw_path + b"?" + query if has_query else raw_path


def quoted_root_path(root_path: str) -> bytes:
    """Return the prefix as it stands in a URL: with one slash in front and none at its end; empty without a prefix."""
    segments = root_path.strip("/")
    return b"/" + quote(segments, safe=_PATH_CHARACTERS, errors="replace").encode() if segments else b""


def _behind(raw_path: bytes, prefix: bytes) -> bytes | None:
    """Return what follows the prefix, each octet of which may be percent-encoded; None if the path begins otherwise."""
    at = 0
    for octet in prefix:
        if _encoded_octet(raw_path, at) == octet:
            at += _ENCODED_OCTET_BYTES
        elif raw_path[at : at + 1] == bytes((octet,)):
            at += 1
        else:
            return None
    rest = raw_path[at:]
    if prefix and _encoded_octet(rest, 0) == ord("/"):
        return b"/" + rest[_ENCODED_OCTET_BYTES:]  # the slash that ends the prefix
    return rest or b"/"


def _encoded_octet(raw_path: bytes, at: int) -> int | None:
    found = _ENCODED_OCTET.match(raw_path, at)
    return int(found[1], 16) if found else None
