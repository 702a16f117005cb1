"""The web page: which requests get it, and that it is self-contained."""

import re

import httpx
import pytest

from mock_target.admin.web_page import load_page

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_browser_gets_the_page_and_leaves_no_arrival(client: httpx.AsyncClient) -> None:
    """`/` requested as HTML is the page, and is not logged."""
    answer = await client.get("/", headers=BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<title>Mock target</title>" in answer.text
    assert (await client.get("/__admin/arrivals")).json()["total"] == 0


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [("GET", "/", {}), ("POST", "/", BROWSER), ("GET", "/x", BROWSER), ("GET", "/", {"Accept": "application/json"})],
)
async def test_all_others_get_the_echo(
    client: httpx.AsyncClient, method: str, path: str, fields: dict[str, str]
) -> None:
    """Another method, path or Accept is echoed and logged."""
    answer = await client.request(method, path, headers=fields)
    assert answer.json()["path"] == path
    assert (await client.get("/__admin/arrivals")).json()["total"] == 1


async def test_the_page_loads_nothing_from_anywhere(client: httpx.AsyncClient) -> None:
    """The page is self-contained, calls only the mock, and its policy enforces that."""
    page = load_page()
    assert "<!-- page." not in page
    found = re.findall(r"""\b(?:src|href)=["']([^"']*)""", page)
    assert [place for place in found if not place.startswith("data:image/svg+xml,")] == ["/docs"]
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", page)
    policy = (await client.get("/", headers=BROWSER)).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")


def test_the_page_writes_nothing_as_html() -> None:
    """What arrived is shown as text: a path cannot bring a script."""
    assert "innerHTML" not in load_page()
    assert "insertAdjacentHTML" not in load_page()
