"""httpbin, served by waitress on loopback, on the werkzeug that is installed.

    python tests/doubles/httpbin_server.py 9000

httpbin 0.10.0 is the last release that Python 3.11 can have beside locust: later ones ask for a greenlet that is older
than what locust's gevent takes. It was written for werkzeug 2, so the three things that werkzeug 3 no longer has are
given back to it here. Once a later httpbin lets go of greenlet, `python -m waitress httpbin:app` will do.
"""

import sys
from typing import Any

import waitress
import werkzeug.http
from flask import Response, request
from werkzeug.datastructures import Authorization, WWWAuthenticate


def _set_digest(challenge: WWWAuthenticate, realm: str, nonce: str, **parameters: Any) -> None:
    """Fill in a Digest challenge (RFC 7616), as werkzeug 2 had it."""
    qop = ", ".join(parameters.pop("qop"))
    challenge.parameters.update({"realm": realm, "nonce": nonce, "qop": qop, **parameters})


werkzeug.http.parse_authorization_header = Authorization.from_header  # type: ignore[attr-defined]
WWWAuthenticate.set_digest = _set_digest  # type: ignore[attr-defined]

from httpbin import app  # noqa: E402 - it looks for these as it is imported


def _redirect_to() -> Response:
    """Redirect to where the parameter `url` says: httpbin's own hands werkzeug bytes, which are no longer taken."""
    return Response(status=int(request.args.get("status_code", "302")), headers={"Location": request.args["url"]})


app.view_functions["redirect_to"] = _redirect_to

if __name__ == "__main__":
    # What a client left unread keeps a thread busy: more than any test leaves.
    waitress.serve(app, listen=f"127.0.0.1:{sys.argv[1]}", threads=16)
