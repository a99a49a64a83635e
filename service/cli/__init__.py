"""The command line, `rankward`."""

from service.cli.main import app, main

__all__ = ["app", "main"]
