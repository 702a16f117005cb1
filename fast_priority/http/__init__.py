"""The rules of HTTP for an intermediary (RFC 9110, RFC 9112): almost only pure functions of bytes.

- `message`: the types: fields, a request, a response, and the policy of a target
- `limits`: every limit of size and rate
- `fields`: which fields are forwarded, which messages are refused
- `forwarding`: fields about the way of a message: added, or dropped; `trusted_proxies`: which peers may set them
- `client_address`: the address of a client behind trusted proxies; `rule_facts`: what rules look at in a request
- `cors`: fields with which browsers show the gateway's own errors to pages of other origins
- `date`: the present time, for the field Date
- `head`: heads as bytes
- `keep_alive`: how long a connection to the target may be idle
- `locations`: Location and Content-Location, as references to the gateway
- `max_forwards`: requests that the gateway answers as the last intermediary
- `memo`: results of these functions, kept for heads that repeat
- `problem`: errors as responses
- `request_bounds`: where each request of a client begins and ends
- `request_id`: X-Request-ID, the name of a request in logs
- `request_target`: the target of a request, as it is received; `root_path`: the part of it below a prefix
- `server_timing`: Server-Timing, where the time of a request went
- `via`: the name of this gateway, and which gateways a request has passed
"""

__all__ = [
    "client_address",
    "cors",
    "date",
    "fields",
    "forwarding",
    "head",
    "keep_alive",
    "limits",
    "locations",
    "max_forwards",
    "memo",
    "message",
    "problem",
    "request_bounds",
    "request_id",
    "request_target",
    "root_path",
    "rule_facts",
    "server_timing",
    "trusted_proxies",
    "via",
]
