"""The gateway with a guard and a route of its own, mounted below /gw of another application.

FAST_PRIORITY_TARGET_BASE_URL=http://localhost:9000 uvicorn examples.embedded:main --port 8000
"""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from fast_priority import Settings, create_app

gateway = create_app(Settings.load())


@gateway.middleware("http")
async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Refuse what has no key. This runs for every request: forwarded, passed through, own pages, errors."""
    if request.headers.get("x-api-key") != "secret":
        return Response(status_code=403)
    return await call_next(request)


@gateway.get("/mine")
async def mine() -> dict[str, str]:
    """Answer instead of the target. Every other path and method is still forwarded."""
    return {"answered by": "the gateway"}


main = FastAPI()
main.mount("/gw", gateway)
