"""The access log of the server that runs the application, where it is not ours: it gets no query.

`fastapi run` and uvicorn log a line for each request and each WebSocket, with the whole request target. A query may
hold a secret.
"""

import logging

_LOGGERS = ("uvicorn.access", "uvicorn.error")


def hide_queries() -> None:
    """Let uvicorn log paths without their queries, from now on in this process."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_without_queries)


def _without_queries(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_without_query, record.args))
    return True


def _without_query(argument: object) -> object:
    return argument.partition("?")[0] if isinstance(argument, str) and argument.startswith("/") else argument
