"""HTTP to the target: connections, requests on them, their responses, and WebSocket handshakes."""

from fast_priority.target.exchange import QUICK_AND_DECLARED_SECONDS, QUICK_SECONDS, Body, Exchange
from fast_priority.target.registry import TargetRegistry
from fast_priority.target.target import Target, is_reachable
from fast_priority.target.websocket import Accepted, Declined, ask_for_websocket

__all__ = [
    "QUICK_AND_DECLARED_SECONDS",
    "QUICK_SECONDS",
    "Accepted",
    "Body",
    "Declined",
    "Exchange",
    "Target",
    "TargetRegistry",
    "ask_for_websocket",
    "is_reachable",
]
