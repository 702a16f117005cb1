"""Light ends of a measured connection: a load generator, clients and two targets, on bare asyncio and sockets.

A full client or server would use more CPU per request than the gateway between them. The generator and the targets
run as processes of their own, so this room imports neither the gateway nor Redis.
"""

from benchmarks.endpoints.bodies import body_blocks, request_head
from benchmarks.endpoints.event_client import EventStream, receive_streams
from benchmarks.endpoints.generator import Sample
from benchmarks.endpoints.http_response import TransferFailed
from benchmarks.endpoints.traced_client import RequestTimes, send_traced_requests
from benchmarks.endpoints.transfer_client import Transfer, download, fetch_json, upload

__all__ = [
    "EventStream",
    "RequestTimes",
    "Sample",
    "Transfer",
    "TransferFailed",
    "body_blocks",
    "download",
    "fetch_json",
    "receive_streams",
    "request_head",
    "send_traced_requests",
    "upload",
]
