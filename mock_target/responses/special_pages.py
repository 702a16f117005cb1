"""Fixed responses that a gateway must forward unchanged, or must change. Pure.

    /mock/redirect     302 with Location: /elsewhere (to forward, not to follow)
    /mock/cookies      two separate Set-Cookie fields, a=1 and b=2 (never to be joined)
    /mock/gzip         a small JSON document with Content-Encoding: gzip, always the same bytes (not to be decompressed)
    /mock/binary       all 256 byte values, 0 to 255
    /mock/hop-by-hop   Keep-Alive, Proxy-Connection, and X-Private, which Connection names: an intermediary removes
                       these three and Connection itself (RFC 9110, section 7.6.1). Proxy-Authenticate is there too,
                       meant for the next hop only (section 11.7.1). X-Public is for everyone.

Any method gets them, and all knobs apply to them; size and body replace their body and fields.
"""

import gzip

from mock_target.responses.response import MockResponse, bytes_response

_JSON = "application/json"
_GZIPPED = gzip.compress(b'{"message": "this was sent as gzip"}', mtime=0)

SPECIAL_PAGES: dict[bytes, MockResponse] = {
    b"/mock/redirect": bytes_response(302, b"", "text/plain", [(b"location", b"/elsewhere")]),
    b"/mock/cookies": bytes_response(
        200, b'{"cookies": ["a=1", "b=2"]}', _JSON, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    ),
    b"/mock/gzip": bytes_response(200, _GZIPPED, _JSON, [(b"content-encoding", b"gzip")]),
    b"/mock/binary": bytes_response(200, bytes(range(256)), "application/octet-stream"),
    b"/mock/hop-by-hop": bytes_response(
        200,
        b'{"message": "only X-Public should reach the client"}',
        _JSON,
        [
            (b"connection", b"Keep-Alive, Proxy-Connection, X-Private"),
            (b"keep-alive", b"timeout=5, max=100"),
            (b"proxy-connection", b"keep-alive"),
            (b"proxy-authenticate", b'Basic realm="mock"'),
            (b"x-private", b"for this hop only"),
            (b"x-public", b"for everyone"),
        ],
    ),
}
