"""The API under /__admin/ that shows and changes the settings of a running mock."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from mock_target.settings import FAULTS, KNOBS, Knob, KnobError, Settings, decode_json, read_settings, write_settings
from mock_target.state import MockState

MAX_SETTINGS_BYTES = 1024 * 1024

# The body is parsed with the table of knobs, not with a model; /docs shows this schema for it.
_KNOB_SCHEMAS = {
    knob.name: {"description": knob.meaning, "example": knob.example, "default": knob.default} for knob in KNOBS
}


def _body(properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_SETTINGS_BODY = _body({**_KNOB_SCHEMAS, "routes": {"type": "array", "items": {"type": "object"}}})
_LATENCY_BODY = _body({"latency": _KNOB_SCHEMAS["latency"]})


def make_settings_router(state: MockState) -> APIRouter:
    """Return the router of the pages that show and change the settings."""
    router = APIRouter()

    @router.get("/__admin/settings")
    async def get_settings() -> Response:
        """Return all settings in force, in the form that PUT accepts."""
        return JSONResponse(write_settings(state.settings))

    @router.patch("/__admin/settings", openapi_extra=_SETTINGS_BODY)
    async def change_settings(request: Request) -> Response:
        """Change the given settings and keep the others; null sets one back to its default."""
        state.change(read_settings(await _read_json(request), state.settings))
        return JSONResponse(write_settings(state.settings))

    @router.put("/__admin/settings", openapi_extra=_SETTINGS_BODY)
    async def replace_settings(request: Request) -> Response:
        """Replace all settings: use the given ones, and the defaults for all others."""
        state.change(read_settings(await _read_json(request), Settings()))
        return JSONResponse(write_settings(state.settings))

    @router.delete("/__admin/settings")
    async def restore_settings() -> Response:
        """Restore the settings that the mock was started with."""
        state.change(state.started_with.settings)
        return JSONResponse(write_settings(state.settings))

    @router.post("/__admin/reset", status_code=204)
    async def reset() -> None:
        """Restore the initial state: settings, random draws, arrivals and counts."""
        state.reset()

    _add_latency_and_knobs(router, state)
    return router


def _add_latency_and_knobs(router: APIRouter, state: MockState) -> None:
    @router.get("/__admin/latency")
    async def get_latency() -> Response:
        """Return the default latency."""
        return JSONResponse({"latency": str(state.settings.behaviour.latency)})

    @router.put("/__admin/latency", openapi_extra=_LATENCY_BODY)
    async def change_latency(request: Request) -> Response:
        """Change the default latency of the requests that arrive from now on."""
        document = await _read_json(request)
        if not isinstance(document, dict) or list(document) != ["latency"]:
            raise KnobError("the body", str(document), 'write {"latency": "0.2"}')
        state.change(read_settings(document, state.settings))
        return JSONResponse({"latency": str(state.settings.behaviour.latency)})

    @router.get("/__admin/knobs")
    async def get_knobs() -> Response:
        """Return all knobs, with the meaning, an example and the default of each."""
        knobs = [{**_describe(knob), "parameter": knob.parameter, "field": knob.field} for knob in KNOBS]
        faults = [{"name": fault.value, "meaning": meaning} for fault, meaning in FAULTS.items()]
        return JSONResponse({"knobs": knobs, "faults": faults})


def _describe(knob: Knob) -> dict[str, object]:
    return {name: value for name, value in asdict(knob).items() if name != "parse"}


async def _read_json(request: Request) -> object:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_SETTINGS_BYTES:
            raise KnobError("the body", f"more than {MAX_SETTINGS_BYTES} bytes", "write fewer")
    return decode_json(bytes(body), "the body")
