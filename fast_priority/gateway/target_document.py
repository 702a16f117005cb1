"""The second address of the target's OpenAPI document.

fast-priority 1.x serves that document at `/target_openapi.json`, and clients may still ask for it there.
"""

_ADDRESS, _AT_TARGET = b"/target_openapi.json", b"/openapi.json"


def at_target(method: str, raw_target: bytes, raw_path: bytes) -> tuple[bytes, bytes]:
    """Return the request target and the path with which the target is asked, and by which the rules decide."""
    if raw_path != _ADDRESS or method not in ("GET", "HEAD"):
        return raw_target, raw_path
    return _AT_TARGET + raw_target.removeprefix(_ADDRESS), _AT_TARGET
