"""Settings as JSON: the members are the knobs by name, and `routes`. Pure.

A member that is null or missing is not set: the knob's own default holds, or in a route what the settings say.
"""

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from mock_target.settings.behaviour import Behaviour
from mock_target.settings.knob import KnobError, name_nearest, read_value
from mock_target.settings.knob_table import DEFAULTS, KNOBS, KNOBS_BY_NAME, make_behaviour
from mock_target.settings.model import Settings
from mock_target.settings.routes import Match, Route, parse_match, parse_method, parse_path

MAX_ROUTES = 1000

T = TypeVar("T")

_MAX_QUOTED_CHARACTERS = 200
_SETTINGS_NAMES = (*KNOBS_BY_NAME, "routes")
_ROUTE_NAMES = ("path", "match", "method", *(knob.name for knob in KNOBS if knob.per_request))


def decode_json(text: bytes | str, called: str) -> object:
    """Read JSON. Raises KnobError, which calls it `called`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        quoted = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        raise KnobError(called, _quote(quoted), f'write JSON like {{"latency": "0.2"}} ({error})') from None


def read_settings(document: object, before: Settings) -> Settings:
    """Merge a JSON document over the settings from before; its `routes` replace all routes. Raises KnobError."""
    members = _read_members(document, "settings", "", _SETTINGS_NAMES)
    routes = before.routes if "routes" not in members else _read_routes(members.pop("routes"))
    knobs = before.behaviour.values() | {name: _read_knob(name, value, name) for name, value in members.items()}
    return Settings(DEFAULTS.merge(make_behaviour(knobs)), routes)


def write_settings(settings: Settings) -> dict[str, object]:
    """Give the settings in force as plain data, which `read_settings` reads."""
    return {**_write_behaviour(settings.behaviour), "routes": [_write_route(route) for route in settings.routes]}


def _read_routes(document: object) -> tuple[Route, ...]:
    if document is None:
        return ()
    if not isinstance(document, list) or len(document) > MAX_ROUTES:
        raise KnobError("routes", _quote(document), f"write a list of at most {MAX_ROUTES} routes")
    return tuple(_read_route(route, f"routes[{index}]") for index, route in enumerate(document))


def _read_route(document: object, called: str) -> Route:
    members = _read_members(document, called, f"{called}.", _ROUTE_NAMES)
    if members.get("path") is None:
        raise KnobError(called, _quote(document), 'give it a path, like {"path": "/orders", "status": 404}')
    path, match, method = (members.pop(name, None) for name in ("path", "match", "method"))
    knobs = {name: _read_knob(name, value, f"{called}.{name}") for name, value in members.items()}
    return Route(
        path=_read_scalar(parse_path, path, f"{called}.path"),
        match=Match.EXACT if match is None else _read_scalar(parse_match, match, f"{called}.match"),
        method=None if method is None else _read_scalar(parse_method, method, f"{called}.method"),
        behaviour=make_behaviour(knobs),
    )


def _read_members(document: object, called: str, prefix: str, names: Sequence[str]) -> dict[str, object]:
    if not isinstance(document, dict):
        raise KnobError(called, _quote(document), 'write a JSON object, like {"latency": "0.2"}')
    for name, value in document.items():
        if name in names:
            continue
        if name in KNOBS_BY_NAME:
            raise KnobError(prefix + name, _quote(value), "it holds for the whole mock; set it in the settings")
        nearest = name_nearest(name, names)
        raise KnobError(prefix + name, _quote(value), f"nothing has this name; the nearest is {nearest}")
    return dict(document)


def _read_knob(name: str, value: object, called: str) -> object:
    return None if value is None else _read_scalar(KNOBS_BY_NAME[name].parse, value, called)


def _read_scalar(parse: Callable[[str], T], value: object, called: str) -> T:
    if isinstance(value, bool):
        return read_value(parse, "true" if value else "false", called)
    if isinstance(value, str | int | float):
        return read_value(parse, str(value), called)
    raise KnobError(called, _quote(value), "write text, a number, true or false")


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
