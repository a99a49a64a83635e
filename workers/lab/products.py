"""Products of matrices, of all runs of a batch at once, that round alike however many runs there are."""

import torch
from torch import Tensor


def multiply(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """Write left @ right, (runs, rows, columns), into `out`, and return it.

    On a CPU a batch of matrices and a single matrix give the same bits, for any number of threads (MKL_CBWR in
    `workers.lab`). Only where a single run's factor or result is a vector does torch take another path, which sums in
    another order. Such a product is computed twice, as a batch of two, and is cheap.
    """
    if len(out) == 1 and min(out.shape[1:]) == 1 and not out.is_cuda:
        out.copy_(torch.bmm(left.expand(2, -1, -1), right.expand(2, -1, -1))[:1])
        return out
    return torch.bmm(left, right, out=out)
