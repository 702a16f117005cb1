"""Real servers that return which path they read in a request, each with its own decoder and router.

All have the same tree: `/reports...` and `/exact` are low, `/health` is direct, below `/inside` is inside, the rest is
other.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from fast_priority.local.child_processes import wait_until
from fast_priority.local.free_ports import free_port
from tests.acceptance.fidelity.contenders import NGINX_ARGUMENTS, start_program

Label = Literal["low", "direct", "inside", "other", "nothing"]
"""The label that a server returns for a path; `other` is the rest, `nothing` an error or a redirection."""
Ask = Callable[[bytes], Label]
"""Sends a request with exactly this path, and returns its label."""

_SECONDS = 30
BASE, EXACT, DIRECT, INSIDE = "reports", "exact", "health", "inside"

NGINX_LOCATIONS = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  large_client_header_buffers 4 80k;
  server {{
    listen 127.0.0.1:{port};
    location /reports {{ return 200 "low"; }}
    location = /exact {{ return 200 "low"; }}
    location = /health {{ return 200 "direct"; }}
    location /inside/ {{ return 200 "inside"; }}
    location / {{ return 200 "other"; }}
  }}
}}
"""


@contextmanager
def starlette_routes() -> Iterator[Ask]:
    """Run uvicorn with Starlette's router, which is FastAPI's too."""

    def answering(label: Label) -> Any:
        async def endpoint(request: Request) -> PlainTextResponse:
            return PlainTextResponse(label)

        return endpoint

    low = ["/reports", "/reports{rest:path}", "/reports/{number}", "/exact"]
    routes = [*(Route(path, answering("low")) for path in low), Route("/health", answering("direct"))]
    routes += [Route("/inside/{rest:path}", answering("inside")), Route("/{rest:path}", answering("other"))]
    with uvicorn_serving(Starlette(routes=routes)) as port:
        yield _asking(port)


@contextmanager
def starlette_files(folder: Path) -> Iterator[Ask]:
    """Run uvicorn with Starlette's static files."""
    for name, text in {
        "reports/1": "low",
        "reports/x/1": "low",
        "exact": "low",
        "health": "direct",
        "x/1": "other",
        "inside/reports/1": "inside",
        "inside/x/1": "inside",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with uvicorn_serving(Starlette(routes=[Mount("/", StaticFiles(directory=folder))])) as port:
        yield _asking(port)


@contextmanager
def uvicorn_serving(application: Any, http: Any = "httptools") -> Iterator[int]:
    """Run uvicorn with its own HTTP protocol or a subclass of it, and yield the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    config = uvicorn.Config(application, http=http, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        wait_until("uvicorn serves", lambda: server.started)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(_SECONDS)


@contextmanager
def python_files(folder: Path) -> Iterator[Ask]:
    """Run `python -m http.server`; its answer is the label of the file that it finds for the path."""

    class Handler(SimpleHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.translate_path(self.path).removeprefix(f"{folder}/")
            body = _label_of(name).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Handler(*args, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield _asking(server.server_address[1])
        finally:
            server.shutdown()
            thread.join(_SECONDS)


@contextmanager
def nginx_locations(folder: Path) -> Iterator[Ask]:
    """Run nginx with its locations. Raises NotInstalled."""
    port = free_port()
    with ExitStack() as parts:
        start_program(parts, folder, "nginx", NGINX_LOCATIONS.format(port=port), NGINX_ARGUMENTS, port)
        yield _asking(port)


def _label_of(name: str) -> Label:
    if name == EXACT or name.startswith(BASE):
        return "low"
    if name == INSIDE or name.startswith(f"{INSIDE}/"):
        return "inside"
    return "direct" if name == DIRECT else "other"


def _asking(port: int) -> Ask:
    def ask(path: bytes) -> Label:
        received = b""
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as client, contextlib.suppress(OSError):
            client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
            while piece := client.recv(65536):
                received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            return "nothing"
        labels: dict[bytes, Label] = {b"low": "low", b"direct": "direct", b"inside": "inside"}
        return labels.get(body, "other")

    return ask
