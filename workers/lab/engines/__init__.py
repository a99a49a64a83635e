"""Engines: ways to advance a batch of runs, each in a module or package of its name."""
