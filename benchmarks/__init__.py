"""Benchmarks: what a step costs, against a plain torch loop and a hand-written C++ loop."""
