"""The command line, `rankward`."""

from service.processes.garbage import loading

with loading():
    from service.cli.main import app, main

__all__ = ["app", "main"]
