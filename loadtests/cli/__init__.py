"""The command line: `fast-priority loadtest`, and the same as `python -m loadtests`; a module for each command."""

from loadtests.cli.commands import app, main

__all__ = ["app", "main"]
