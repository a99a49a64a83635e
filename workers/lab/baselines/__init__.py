"""Baselines: what stands beside the descents without descending."""
