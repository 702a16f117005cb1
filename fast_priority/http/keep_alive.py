"""Keep-Alive: how long a connection to the target may be idle (RFC 2068, section 19.7.1.1)."""

import re

from fast_priority.http.message import Fields

USUAL_IDLE_SECONDS = 4.0
"""For a target that states nothing: less than the 5 s after which uvicorn, Node.js and others close."""
MOST_IDLE_SECONDS = 55.0
"""For a target that states more: load balancers and firewalls drop a connection silently after 60 s."""
_MARGIN_SECONDS = 1.0  # the target counts from when it sent, and its close takes a moment to arrive
# A fraction is no whole number of seconds, but what it means is clear; only its whole part is taken.
_PARAMETER = re.compile(rb'(timeout|max)[ \t]*=[ \t]*"?([0-9]+)(?:\.[0-9]*)?"?', re.IGNORECASE)
_MOST_DIGITS = 9


def idle_seconds(fields: Fields) -> float:
    """Return how many seconds a connection may be idle after a response with these fields; 0: close it.

    That is one second less than `Keep-Alive: timeout` states, and at most MOST_IDLE_SECONDS. `max=0` means that the
    target takes no more requests. Of several values the smallest counts. What cannot be read is ignored.
    """
    timeouts = []
    for name, value in fields:
        if name.lower() != b"keep-alive":
            continue
        for parameter in value.split(b","):
            found = _PARAMETER.fullmatch(parameter.strip(b" \t"))
            if found is None:
                continue
            number = int(found[2][:_MOST_DIGITS])
            if found[1].lower() == b"timeout":
                timeouts.append(number)
            elif not number:
                return 0.0
    if not timeouts:
        return USUAL_IDLE_SECONDS
    return min(max(min(timeouts) - _MARGIN_SECONDS, 0.0), MOST_IDLE_SECONDS)
