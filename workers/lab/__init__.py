"""How runs are computed, with torch, Warp and cvxpy; entered only through `workers.slices`."""
