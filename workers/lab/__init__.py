"""How runs are computed, with torch, Warp and cvxpy; entered only through `workers.slices`."""

import os

# Otherwise MKL rounds a product by where in memory a matrix begins, so by its position in a batch. It reads this once.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
