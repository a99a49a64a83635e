"""Benchmarks: ratios against a plain torch loop, and against the floor that the arithmetic sets."""
