"""Rankward by its own name: `from rankward import Rankward` is the client of a server."""

from service.client import Rankward

__all__ = ["Rankward"]
