"""Baselines: solutions to compare descents with, found without descending."""
