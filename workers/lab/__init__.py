"""How runs are computed, with torch, Warp and cvxpy; entered only through `workers.slices`."""

import os

# Otherwise MKL rounds a product by where in memory a matrix begins, so by its position in a batch. It reads this once.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

import torch

# On processors of AMD, MKL rounds a single product by the number of threads. On busy cores two of them also make a step
# of 0.2 ms take 25 ms. Large runs share cores otherwise: `workers.lab.engines.fused.sharing`.
torch.set_num_threads(1)
