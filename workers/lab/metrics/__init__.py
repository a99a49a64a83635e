"""Metrics: what is measured of a recorded state, computed for many states at once in float64."""
