"""The language of runs: what a run is, what it costs and what theory says of it; without torch, for every package."""
