"""The web page: one HTML document that contains its style and its script."""

from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

# The page loads nothing from other origins, and no injected content can make it.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
)


@cache
def load_page() -> str:
    """Return the page, with its style and its script inside."""
    parts = files("mock_target.admin") / "assets"
    page = (parts / "page.html").read_text("utf-8")
    for name in ("page.css", "page.js"):
        page = page.replace(f"<!-- {name} -->", (parts / name).read_text("utf-8"))
    return page


def make_page_router() -> APIRouter:
    """Return the router of the page at `/`; `MockEndpoint` sends only browsers here."""
    router = APIRouter()

    @router.get("/", include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(
            load_page(), headers={"Content-Security-Policy": _CONTENT_SECURITY_POLICY, "Cache-Control": "no-store"}
        )

    return router
