"""How the mock's own pages tell what is wrong with a request: as problem+json (RFC 9457)."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from mock_target.responses import Answer, knob_problem
from mock_target.settings import KnobError


def respond(answer: Answer) -> Response:
    """Turn a short answer into FastAPI's kind."""
    fields = {name.decode(): value.decode() for name, value in answer.fields}
    return Response(b"".join(piece.content for piece in answer.pieces), answer.status, fields)


def tell_problems(app: FastAPI) -> None:
    """Answer a bad value with 400, and a bad query parameter with 422; both name it, the value and the mend."""

    @app.exception_handler(KnobError)
    async def tell_knob_error(_request: Request, error: KnobError) -> Response:
        return respond(knob_problem(error))

    @app.exception_handler(RequestValidationError)
    async def tell_validation_error(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return respond(knob_problem(KnobError(str(first["loc"][-1]), str(first["input"]), str(first["msg"])), 422))
