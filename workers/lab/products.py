"""Products of matrices, of all runs of a batch at once, that round alike however many runs there are."""

from collections.abc import Sequence

import torch
from torch import Tensor


def multiply(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """Write left @ right, (runs, rows, columns), into `out`, and return it.

    On a CPU a batch of matrices and a single matrix give the same bits (MKL_CBWR and a single thread, see
    `workers.lab`). Only where a single run's factor or result is a vector does torch take another path, which sums in
    another order. Such a product is computed twice, as a batch of two, and is cheap.
    """
    # By size(), which takes half as long as len() of a tensor does: a good part of a small product.
    if out.size(0) == 1 and min(out.shape[1:]) == 1 and not out.is_cuda:
        out.copy_(torch.bmm(left.expand(2, -1, -1), right.expand(2, -1, -1))[:1])
        return out
    return torch.bmm(left, right, out=out)


def squares_of(blocks: Sequence[Tensor]) -> Tensor:
    """Sums of the squares of each run's numbers in each block (runs, ...): (blocks, runs)."""
    squares = blocks[0].new_empty(len(blocks), len(blocks[0]), 1, 1)
    for block, square in zip(blocks, squares, strict=True):
        row = block.flatten(1).unsqueeze(1)
        multiply(row, row.mT, square)
    return squares[:, :, 0, 0]


def sums_of_squares(blocks: Sequence[Tensor]) -> Tensor:
    """Sums of the squares of each run's numbers in all blocks, block after block: (runs,)."""
    squares = squares_of(blocks)
    total = squares[0].clone()
    for square in squares[1:]:
        total += square
    return total
