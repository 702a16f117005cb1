"""The mock's pages on what arrived: the log as one JSON document, or as a stream of lines; and /health."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from mock_target.admin.arrival_stream import MAX_READERS, tell_arrivals
from mock_target.admin.problem_handlers import respond
from mock_target.responses import problem_answer
from mock_target.state import MockState

# More than any log counts to; a number without a bound would be a bound of the machine's.
_MAX_SEQUENCE = 2**53


def make_arrivals_router(state: MockState) -> APIRouter:
    """Make the pages that show and empty the arrival log of a running mock."""
    router = APIRouter()

    @router.get("/health")
    @router.head("/health", include_in_schema=False)
    @router.get("/health/", include_in_schema=False)
    @router.head("/health/", include_in_schema=False)
    async def tell_health() -> dict[str, str]:
        """Say that the mock is alive."""
        return {"status": "ok"}

    # Straight to JSON: validating 100,000 arrivals by a response model would take seconds.
    @router.get("/__admin/arrivals")
    async def tell_log(last: Annotated[int | None, Query(ge=0, le=_MAX_SEQUENCE)] = None) -> Response:
        """Give the arrivals that are kept, or the last so many, in the order they came, with the counts."""
        return Response(state.tell(last), media_type="application/json")

    @router.delete("/__admin/arrivals", status_code=204)
    async def forget_arrivals() -> None:
        """Forget the arrivals, and start the sequence and the high-water marks again."""
        state.forget_arrivals()

    @router.get("/__admin/arrivals.ndjson")
    async def stream_log(since: Annotated[int, Query(ge=0, le=_MAX_SEQUENCE)] = 0, follow: bool = False) -> Response:
        """Give one arrival a line, those after sequence number `since`; with `follow` those to come, too.

        A line {"lost": N} says that N arrivals at this place are no longer kept, {"reset": true} that the log was
        emptied and counts from 1 again.
        """
        if state.arrivals.readers >= MAX_READERS:
            return respond(problem_answer(503, f"{MAX_READERS} clients read the log already: no more may"))
        lines = tell_arrivals(state.arrivals, since, follow)
        return StreamingResponse(lines, media_type="application/x-ndjson")

    return router
