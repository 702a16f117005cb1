"""The page in the browser: one HTML document with all it needs inside."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

# The page loads nothing from anywhere else, and nobody may make it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"


@cache
def load_page() -> str:
    """Give the page, with its style and its script inside."""
    parts = files("mock_target.admin") / "assets"
    page = (parts / "page.html").read_text("utf-8")
    for name in ("page.css", "page.js"):
        page = page.replace(f"<!-- {name} -->", (parts / name).read_text("utf-8"))
    return page


def make_page_router() -> APIRouter:
    """Make the page at `/`; the endpoint lets only browsers come here."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(load_page(), headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"})

    return router
