"""The rules of HTTP for an intermediary (RFC 9110, RFC 9112), as pure functions: bytes in, bytes out."""
