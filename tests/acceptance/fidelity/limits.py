"""How much of a request's head the gateway takes, and of a body in this suite; cases stand on both sides of each."""

LINE_BYTES = 64 * 1024
"""Longest request line; over it: 414."""
FIELDS_BYTES = 64 * 1024
"""All fields together; over it: 431."""
FIELDS = 512
"""Most fields; over it: 431."""
MAX_BODY_BYTES = 1024 * 1024
"""FAST_PRIORITY_MAX_BODY of the gateways that are tried, and what nginx takes unless told otherwise."""
