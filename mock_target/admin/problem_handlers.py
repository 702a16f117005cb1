"""Exception handlers of the mock's own pages: they return problem+json (RFC 9457)."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from mock_target.responses import MockResponse, knob_error_response
from mock_target.settings import KnobError


def to_fastapi_response(response: MockResponse) -> Response:
    """Return a short mock response as a FastAPI response."""
    fields = {name.decode(): value.decode() for name, value in response.fields}
    return Response(b"".join(piece.content for piece in response.pieces), response.status, fields)


def add_problem_handlers(app: FastAPI) -> None:
    """Return 400 for a bad value and 422 for a bad query parameter; the body says what to write instead."""

    @app.exception_handler(KnobError)
    async def handle_knob_error(_request: Request, error: KnobError) -> Response:
        return to_fastapi_response(knob_error_response(error))

    @app.exception_handler(RequestValidationError)
    async def handle_validation_error(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return to_fastapi_response(
            knob_error_response(KnobError(str(first["loc"][-1]), str(first["input"]), str(first["msg"])), 422)
        )
