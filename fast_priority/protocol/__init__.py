"""What gateway and worker send each other: `frames` are the messages, `conversation` is their order."""
