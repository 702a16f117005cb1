"""The API of the arrival log: as one JSON document or as a stream of lines; and /health."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from mock_target.admin.arrival_stream import MAX_READERS, stream_arrivals
from mock_target.admin.problem_handlers import to_fastapi_response
from mock_target.responses import problem_response
from mock_target.state import MockState

# More than any log counts to. Without a bound, a larger number would overflow somewhere below.
_MAX_SEQUENCE = 2**53


def make_arrivals_router(state: MockState) -> APIRouter:
    """Return the router of the pages that show and empty the arrival log."""
    router = APIRouter()

    @router.get("/health")
    @router.head("/health", include_in_schema=False)
    @router.get("/health/", include_in_schema=False)
    @router.head("/health/", include_in_schema=False)
    async def get_health() -> dict[str, str]:
        """Return that the mock runs."""
        return {"status": "ok"}

    # Straight to JSON: validating 100,000 arrivals by a response model would take seconds.
    @router.get("/__admin/arrivals")
    async def get_arrivals(last: Annotated[int | None, Query(ge=0, le=_MAX_SEQUENCE)] = None) -> Response:
        """Return the logged arrivals, or the last `last` of them, in their order of arrival, with the counts."""
        return Response(state.to_json(last), media_type="application/json")

    @router.delete("/__admin/arrivals", status_code=204)
    async def clear_arrivals() -> None:
        """Empty the log, and restart the sequence numbers and the maximum counts."""
        state.clear_arrivals()

    @router.get("/__admin/arrivals.ndjson")
    async def get_arrival_stream(
        since: Annotated[int, Query(ge=0, le=_MAX_SEQUENCE)] = 0, follow: bool = False
    ) -> Response:
        """Return the arrivals after sequence number `since`, one a line; with `follow` also those still to come.

        A line {"lost": N} says that N arrivals at this place have been dropped from the log, {"reset": true} that the
        log was emptied and counts from 1 again.
        """
        if state.arrivals.readers >= MAX_READERS:
            return to_fastapi_response(
                problem_response(503, f"{MAX_READERS} clients read the log already, which is the maximum")
            )
        lines = stream_arrivals(state.arrivals, since, follow)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    return router
