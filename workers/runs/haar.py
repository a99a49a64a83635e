"""Haar measure: random orthogonal matrices, and their rectangular parts."""

import numpy as np
import numpy.typing as npt


def haar(stream: np.random.Generator, rows: int, columns: int) -> npt.NDArray[np.float64]:
    """A matrix (rows, columns) with orthonormal columns, or orthonormal rows where it is wide, uniformly distributed.

    Q of a Gaussian matrix, each column multiplied by the sign of R's diagonal: without the signs the distribution would
    be that of an algorithm (Mezzadri 2007).
    """
    q, r = np.linalg.qr(stream.standard_normal((max(rows, columns), min(rows, columns))))
    orthonormal = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return orthonormal if rows >= columns else orthonormal.T
