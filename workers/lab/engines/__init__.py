"""Engines: ways to advance a batch of descents, one file each, all with the same numbers."""
