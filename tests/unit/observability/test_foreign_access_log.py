"""The access log of uvicorn has no query."""

import logging
from collections.abc import Iterator

import pytest
from uvicorn.logging import AccessFormatter

from fast_priority.observability import hide_queries


@pytest.fixture(autouse=True)
def filters() -> Iterator[None]:
    """The filters of uvicorn's loggers are as before."""
    loggers = [logging.getLogger(name) for name in ("uvicorn.access", "uvicorn.error")]
    before = [list(one.filters) for one in loggers]
    yield
    for one, old in zip(loggers, before, strict=True):
        one.filters = old


def logged(name: str, message: str, *arguments: object) -> logging.LogRecord:
    """Return the record that uvicorn's logger hands to its handlers."""
    record = logging.LogRecord(name, logging.INFO, "", 0, message, arguments, None)
    assert logging.getLogger(name).filter(record)
    return record


@pytest.mark.parametrize("target", ["/orders?token=secret", "/orders?", "/orders?a=secret?b", "/orders"])
def test_a_request_is_logged_without_its_query(target: str) -> None:
    """Method, path and status of a request are in the line, and its query is not."""
    hide_queries()
    record = logged("uvicorn.access", '%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "GET", target, "1.1", 200)
    line = AccessFormatter('%(client_addr)s "%(request_line)s" %(status_code)s', use_colors=False).format(record)
    assert line == '127.0.0.1:5 "GET /orders HTTP/1.1" 200 OK'


@pytest.mark.parametrize("message", ['%s - "WebSocket %s" [accepted]', '%s - "WebSocket %s" 403'])
def test_a_websocket_is_logged_without_its_query(message: str) -> None:
    """Lines about WebSockets come from another logger, and have no query either."""
    hide_queries()
    record = logged("uvicorn.error", message, "127.0.0.1:5", "/chat?token=secret")
    assert record.getMessage() == message % ("127.0.0.1:5", "/chat")


def test_other_lines_are_unchanged() -> None:
    """A line that has no request target is logged as it is."""
    hide_queries()
    record = logged("uvicorn.error", "Uvicorn running on %s://%s:%d", "http", "why?", 8000)
    assert record.getMessage() == "Uvicorn running on http://why?:8000"
    assert logged("uvicorn.error", "%(a)s", {"a": "/b?c"}).getMessage() == "/b?c"
