"""The present time as an HTTP date (RFC 9110, section 5.6.7)."""

import time
from email.utils import formatdate
from functools import lru_cache


def http_date() -> bytes:
    """Return the present time for the field Date, such as `Sun, 06 Nov 1994 08:49:37 GMT`."""
    return _date_of(int(time.time()))


@lru_cache(maxsize=1)
def _date_of(unix_seconds: int) -> bytes:
    return formatdate(unix_seconds, usegmt=True).encode()
