"""HTTP from clients: uvicorn's server, with the limits and the timeouts of an intermediary."""

from fast_priority.server.extension import EXTENSION, ClientConnection, Leaving, connection_of
from fast_priority.server.uvicorn_server import check_port_is_free, server_for

__all__ = ["EXTENSION", "ClientConnection", "Leaving", "check_port_is_free", "connection_of", "server_for"]
