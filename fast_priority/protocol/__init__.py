"""What gateway and worker send each other.

- `frames`: the messages, and their form on the wire.
- `conversation`: their order within one request, and credit-based flow control.
- `silence`: how long one side waits for the other.
- `wire_version`: the number that says which releases understand each other.
"""

__all__ = ["conversation", "frames", "silence", "wire_version"]
