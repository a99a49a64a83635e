"""The laboratory: how runs are computed, with torch, Warp and cvxpy; only `workers.slices` leads in."""
