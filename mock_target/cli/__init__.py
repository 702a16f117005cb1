"""`python -m mock_target`: the command, and its help."""

from mock_target.cli.command import app, main

__all__ = ["app", "main"]
