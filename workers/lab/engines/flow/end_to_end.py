"""The end-to-end flow of a square product from a balanced start, with ln|det W| carried as a coordinate.

dW/dt = - sum_j (W W^T)^((L-j)/L) G (W^T W)^((j-1)/L) with G = dl/dW (Arora, Cohen, Hazan 2018). With W = U S V^T and M
= U^T G V this is U K V^T, K_rs = -M_rs sum_j s_r^(2(L-j)/L) s_s^(2(j-1)/L), and each singular value moves by ds_r/dt =
-L s_r^(2-2/L) M_rr (Arora, Cohen, Hu, Luo 2019), so d/dt ln|det W| = -L sum_r s_r^(1-2/L) M_rr. A weight decay lambda
keeps factors balanced and shrinks each at the rate lambda: it adds -L lambda W, and -d L lambda to the growth of ln|det
W|.

The determinant falls far below the rounding of the entries (at depth 2 as exp(-W00^2 / 2)), so it is carried. The least
singular value is |det W| over the others, whatever the entries say. Whenever the product is used, it is corrected to
the carried determinant: in 2 x 2, W11 = (det W + W01 W10) / W00 for large W00. In d x d this is sound while at most one
singular value is below rounding, as where the infimal rank is d - 1; a second one that small looks like zero.
"""

import numpy as np
import numpy.typing as npt

from workers.lab.engines.flow.gradients import product_of
from workers.lab.engines.flow.systems import Reading
from workers.lab.product_loss import ProductLoss
from workers.runs.conservation import carried_sign
from workers.runs.factors import split_factors, spread_factors
from workers.runs.scaling import norm
from workers.runs.spec import RunSpec

Array = npt.NDArray[np.float64]
Triple = tuple[Array, Array, Array]


class EndToEndFlow:
    """The entries of W in row-major order, then ln|det W|."""

    def __init__(self, spec: RunSpec) -> None:
        self._shapes, self._loss = spec.factor_shapes, ProductLoss(spec)
        self._dimension, self._depth = spec.problem.shape[0], len(spec.factor_shapes)
        self._sign = carried_sign(spec)
        self._decay = self._depth * spec.optimizer.weight_decay
        # 2 (j-1) / L for each j, as a column.
        self._exponents = 2 / self._depth * np.arange(self._depth)[:, None]

    def coordinates_of(self, reading: Reading) -> Array:
        product = product_of(split_factors(reading.factors, self._shapes))
        return np.append(product.ravel(), reading.log_abs_determinant)

    def velocity(self, coordinates: Array) -> Array:
        left, logs, right = self._decompose(coordinates)
        slope = self._loss.gradient((left * np.exp(logs)[..., None, :]) @ right)
        slope = left.swapaxes(-1, -2) @ slope @ right.swapaxes(-1, -2)
        powers = np.exp(self._exponents * logs[..., None, :])
        moves = -slope * (powers[..., ::-1, :].swapaxes(-1, -2) @ powers)  # K of the module docstring
        out = np.empty_like(coordinates)
        out[..., :-1] = (left @ moves @ right).reshape(*coordinates.shape[:-1], -1)
        growth = np.exp((1 - 2 / self._depth) * logs) * np.diagonal(slope, axis1=-2, axis2=-1)
        out[..., -1] = -self._depth * growth.sum(axis=-1)
        if self._decay:
            out[..., :-1] -= self._decay * coordinates[..., :-1]
            out[..., -1] -= self._decay * self._dimension
        return out

    def loss(self, coordinates: Array) -> float:
        left, logs, right = self._decompose(coordinates)
        return self._loss.value((left * np.exp(logs)) @ right)

    def read(self, coordinates: Array, before: Reading) -> Reading:
        """See `System`; the factors are balanced, those of the flow up to rotations between neighbours."""
        left, logs, right = self._decompose(coordinates)
        product = (left * np.exp(logs)) @ right
        factors = spread_factors(left, np.exp(logs / self._depth), right, self._shapes)
        size = norm(product)
        drift = norm(product - coordinates[:-1].reshape(product.shape)) / size if size else np.nan
        return Reading(
            factors=np.concatenate([factor.ravel() for factor in factors]),
            log_abs_determinant=float(coordinates[-1]),
            loss=self._loss.value(product),
            drift=before.drift + drift,
        )

    def _decompose(self, coordinates: Array) -> Triple:
        """U, ln of the singular values, and V^T, of the product W = U S V^T with the carried determinant.

        The least singular value is at most the next one, so that an absurd trial of a solver stays in bounds. Where
        det U det V^T lacks the carried sign, the last row of V^T changes sign.
        """
        entries = coordinates[..., :-1].reshape(*coordinates.shape[:-1], self._dimension, self._dimension)
        left, values, right = np.linalg.svd(entries)
        logs = np.log(values)
        logs[..., -1] = np.minimum(coordinates[..., -1] - logs[..., :-1].sum(axis=-1), logs[..., -2])
        right[..., -1, :] *= (self._sign * np.sign(np.linalg.det(left) * np.linalg.det(right)))[..., None]
        return left, logs, right
