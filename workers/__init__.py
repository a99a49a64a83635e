"""What a run is, and how its descent is computed.

Nothing in this package reads a database, HTTP or the environment. A spec and a checkpoint go in, a slice of the run
comes out.
"""
