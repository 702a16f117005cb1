"""Settings as JSON: the members are the knobs by name, and `routes`. Pure.

A member that is null or missing is not set: the knob's default applies, or in a route the value of the settings.
"""

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from mock_target.settings.behaviour import Behaviour
from mock_target.settings.knob import KnobError, nearest_name, read_value
from mock_target.settings.knob_table import DEFAULTS, KNOBS, KNOBS_BY_NAME, make_behaviour
from mock_target.settings.model import Settings
from mock_target.settings.routes import Match, Route, parse_match, parse_method, parse_path

MAX_ROUTES = 1000

T = TypeVar("T")

_MAX_QUOTED_CHARACTERS = 200
_SETTINGS_NAMES = (*KNOBS_BY_NAME, "routes")
_ROUTE_NAMES = ("path", "match", "method", *(knob.name for knob in KNOBS if knob.per_request))


def decode_json(text: bytes | str, label: str) -> object:
    """Parse JSON. Raises KnobError, with `label` as the parameter."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        quoted = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        raise KnobError(label, _quote(quoted), f'write JSON like {{"latency": "0.2"}} ({error})') from None


def read_settings(document: object, before: Settings) -> Settings:
    """Return the settings `before`, overridden by a JSON document. Its `routes` replace all. Raises KnobError."""
    members = _read_members(document, "settings", "", _SETTINGS_NAMES)
    routes = before.routes if "routes" not in members else _read_routes(members.pop("routes"))
    knobs = before.behaviour.values() | {name: _read_knob(name, value, name) for name, value in members.items()}
    return Settings(DEFAULTS.merge(make_behaviour(knobs)), routes)


def write_settings(settings: Settings) -> dict[str, object]:
    """Return the settings as plain data, in the form that `read_settings` accepts."""
    return {**_write_behaviour(settings.behaviour), "routes": [_write_route(route) for route in settings.routes]}


def _read_routes(document: object) -> tuple[Route, ...]:
    if document is None:
        return ()
    if not isinstance(document, list) or len(document) > MAX_ROUTES:
        raise KnobError("routes", _quote(document), f"write a list of at most {MAX_ROUTES} routes")
    return tuple(_read_route(route, f"routes[{index}]") for index, route in enumerate(document))


def _read_route(document: object, label: str) -> Route:
    members = _read_members(document, label, f"{label}.", _ROUTE_NAMES)
    if members.get("path") is None:
        raise KnobError(label, _quote(document), 'add a path, like {"path": "/orders", "status": 404}')
    path, match, method = (members.pop(name, None) for name in ("path", "match", "method"))
    knobs = {name: _read_knob(name, value, f"{label}.{name}") for name, value in members.items()}
    return Route(
        path=_read_scalar(parse_path, path, f"{label}.path"),
        match=Match.EXACT if match is None else _read_scalar(parse_match, match, f"{label}.match"),
        method=None if method is None else _read_scalar(parse_method, method, f"{label}.method"),
        behaviour=make_behaviour(knobs),
    )


def _read_members(document: object, label: str, prefix: str, names: Sequence[str]) -> dict[str, object]:
    if not isinstance(document, dict):
        raise KnobError(label, _quote(document), 'write a JSON object, like {"latency": "0.2"}')
    for name, value in document.items():
        if name in names:
            continue
        if name in KNOBS_BY_NAME:
            raise KnobError(prefix + name, _quote(value), "it applies to the whole mock; set it in the settings")
        nearest = nearest_name(name, names)
        raise KnobError(prefix + name, _quote(value), f"unknown name; the nearest is {nearest}")
    return dict(document)


def _read_knob(name: str, value: object, label: str) -> object:
    return None if value is None else _read_scalar(KNOBS_BY_NAME[name].parse, value, label)


def _read_scalar(parse: Callable[[str], T], value: object, label: str) -> T:
    if isinstance(value, bool):
        return read_value(parse, "true" if value else "false", label)
    if isinstance(value, str | int | float):
        return read_value(parse, str(value), label)
    raise KnobError(label, _quote(value), "write text, a number, true or false")


def _write_behaviour(behaviour: Behaviour) -> dict[str, object]:
    return {name: _write_value(value) for name, value in behaviour.values().items()}


def _write_route(route: Route) -> dict[str, object]:
    knobs = {name: value for name, value in _write_behaviour(route.behaviour).items() if value is not None}
    method = {} if route.method is None else {"method": route.method}
    return {"path": route.path, "match": route.match.value, **method, **knobs}


def _write_value(value: object) -> object:
    if isinstance(value, tuple):
        return "\n".join(f"{name}: {content}" for name, content in value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _quote(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _MAX_QUOTED_CHARACTERS else text[:_MAX_QUOTED_CHARACTERS] + "..."
