"""The mock's own pages: /health, and under /__admin/ the arrival log and the default latency."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from mock_target.answers import PROBLEM_CONTENT_TYPE, problem_json
from mock_target.endpoint import MockState
from mock_target.latency import GRAMMAR, LatencyError, parse_latency


class DefaultLatency(BaseModel):
    """The latency of every answer whose request does not ask for another."""

    model_config = ConfigDict(extra="forbid")

    latency: str = Field(description=GRAMMAR, examples=["uniform:0.01,0.2"])


def make_admin_router(state: MockState) -> APIRouter:
    """Make the routes that show and change the state of a running mock."""
    router = APIRouter()

    @router.get("/health")
    @router.get("/health/", include_in_schema=False)
    async def tell_health() -> dict[str, str]:
        """Say that the mock is alive."""
        return {"status": "ok"}

    # Straight to JSON: validating 100,000 arrivals by a response model would take seconds.
    @router.get("/__admin/arrivals")
    async def tell_arrivals() -> Response:
        """Give the last arrivals in the order they came, and the counts since the last reset."""
        return JSONResponse(state.arrivals.snapshot())

    @router.delete("/__admin/arrivals", status_code=204)
    async def reset_arrivals() -> None:
        """Forget the arrivals, and start the sequence and the high-water mark again."""
        state.arrivals.reset()

    @router.get("/__admin/latency")
    async def tell_latency() -> DefaultLatency:
        """Give the default latency."""
        return DefaultLatency(latency=str(state.latency))

    @router.put("/__admin/latency", response_model=DefaultLatency)
    async def change_latency(wanted: DefaultLatency) -> DefaultLatency | Response:
        """Change the default latency for the requests that arrive from now on; 400 says what is wrong with it."""
        try:
            state.latency = parse_latency(wanted.latency)
        except LatencyError as error:
            problem = problem_json(400, "latency", error.given, error.mend)
            return Response(problem, status_code=400, media_type=PROBLEM_CONTENT_TYPE)
        return DefaultLatency(latency=str(state.latency))

    return router
