"""GETs of this machine's own servers, past any proxy that the environment names."""

import json
import urllib.request
from typing import Any

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_TIMEOUT_SECONDS = 30  # a gateway that holds a thousand uploads answers slowly


def fetch(url: str) -> bytes:
    """Return the body of a response. Raises OSError, for a status of 400 or more too."""
    with _opener.open(url, timeout=_TIMEOUT_SECONDS) as response:
        body: bytes = response.read()
        return body


def fetch_json(url: str) -> dict[str, Any]:
    """Return the fields of a JSON response. Raises OSError."""
    fields: dict[str, Any] = json.loads(fetch(url))
    return fields
