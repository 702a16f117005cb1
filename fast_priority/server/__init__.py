"""HTTP from clients: uvicorn's server, with the limits and the timeouts of an intermediary.

- `uvicorn_server`: builds the server from the settings
- `listening`: the sockets that it listens on; `shared_port`: those of several processes on one port
- `graceful`: the server, and how it shuts down
- `admission`: which clients are let in
- `http_protocol`: one client's connection, its responses and timeouts; `request_reader`: its requests
- `http10_response`: responses to clients of HTTP/1.0
- `connection_state`: the states of a connection
- `refusals`: requests that the server itself answers with an error
- `extension`: what the gateway is offered beyond ASGI; `request_connection` implements it
- `timeouts`, `transport`, `small_reads`: how long a client may take, how it is closed, how much is read at once
"""

from fast_priority.server.extension import EXTENSION, ClientConnection, DisconnectEvent, connection_of
from fast_priority.server.listening import check_port_is_free
from fast_priority.server.shared_port import are_listening, inherited_sockets, shared_sockets
from fast_priority.server.uvicorn_server import server_for

__all__ = [
    "EXTENSION",
    "ClientConnection",
    "DisconnectEvent",
    "are_listening",
    "check_port_is_free",
    "connection_of",
    "inherited_sockets",
    "server_for",
    "shared_sockets",
]
