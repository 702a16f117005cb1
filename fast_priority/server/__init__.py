"""HTTP from clients: uvicorn's server, with the limits and the timeouts of an intermediary.

- `uvicorn_server`: builds the server from the settings
- `listening`: the sockets that it listens on
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
from fast_priority.server.uvicorn_server import server_for

__all__ = ["EXTENSION", "ClientConnection", "DisconnectEvent", "check_port_is_free", "connection_of", "server_for"]
