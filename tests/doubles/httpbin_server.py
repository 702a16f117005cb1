"""Serves httpbin by waitress on loopback, with the installed werkzeug.

    python tests/doubles/httpbin_server.py 9000

httpbin 0.10.0 is the last release that works beside locust on Python 3.11: later ones require a greenlet that is older
than locust's gevent requires. It was written for werkzeug 2, so this module restores three things that werkzeug 3
removed. Once a later httpbin no longer requires greenlet, `python -m waitress httpbin:app` will do.
"""

import sys
from typing import Any

import waitress
import werkzeug.http
from flask import Response, request
from werkzeug.datastructures import Authorization, WWWAuthenticate


def _set_digest(challenge: WWWAuthenticate, realm: str, nonce: str, **parameters: Any) -> None:
    """Fill in a Digest challenge (RFC 7616), as werkzeug 2 did."""
    qop = ", ".join(parameters.pop("qop"))
    challenge.parameters.update({"realm": realm, "nonce": nonce, "qop": qop, **parameters})


werkzeug.http.parse_authorization_header = Authorization.from_header  # type: ignore[attr-defined]
WWWAuthenticate.set_digest = _set_digest  # type: ignore[attr-defined]

from httpbin import app  # noqa: E402 - it uses these when it is imported


def _redirect_to() -> Response:
    """Redirect to the URL of the parameter `url`: httpbin passes bytes, which werkzeug no longer accepts."""
    return Response(status=int(request.args.get("status_code", "302")), headers={"Location": request.args["url"]})


app.view_functions["redirect_to"] = _redirect_to

if __name__ == "__main__":
    # An unread response keeps a thread busy; no test leaves so many.
    waitress.serve(app, listen=f"127.0.0.1:{sys.argv[1]}", threads=16)
