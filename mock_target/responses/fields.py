"""Header fields, as ASGI passes them."""

Fields = list[tuple[bytes, bytes]]
