"""The laboratory: what a run is, and how its descent is computed.

Nothing here knows a database, HTTP or the environment: a spec and a checkpoint go in, a slice of the run comes out.
"""
