import numpy as np
import pytest

from tests.helpers.specs import spec
from workers.runs.observations import infimal_rank, observe, unobserved_index


def problem(**fields):
    return spec(problem=fields, init={"kind": "identity", "scale": 1.0}).problem


def test_the_perturbed_setting_observes_all_but_the_corner():
    observed = observe(problem(kind="perturbed_2x2", z=-2.0, z_prime=0.5, epsilon=0.1))
    assert observed.values.tolist() == [[0, -2.0], [0.5, 0.1]]
    assert observed.mask.tolist() == [[False, True], [True, True]]


def test_all_but_corner_in_three_dimensions_is_the_reference_setting():
    values = observe(problem(kind="all_but_corner", dimension=3)).values
    assert values.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_low_rank_targets_have_their_rank_and_norm_and_nested_observations():
    few = observe(problem(kind="low_rank_completion", shape=[6, 5], rank=2, observed=8, norm=3.0, seed=4))
    many = observe(problem(kind="low_rank_completion", shape=[6, 5], rank=2, observed=20, norm=3.0, seed=4))
    assert np.linalg.matrix_rank(few.target) == 2
    assert np.linalg.norm(few.target) == pytest.approx(3.0)
    assert np.array_equal(few.target, many.target)
    assert (many.mask[few.mask]).all()
    assert many.mask.sum() == 20
    other = observe(problem(kind="low_rank_completion", shape=[6, 5], rank=2, observed=8, norm=3.0, seed=5))
    assert not np.array_equal(few.target, other.target)


def test_low_rank_measurements_are_nested_and_consistent_with_the_target():
    few = observe(problem(kind="low_rank_sensing", shape=[4, 3], rank=1, measurements=3))
    many = observe(problem(kind="low_rank_sensing", shape=[4, 3], rank=1, measurements=7))
    assert np.array_equal(few.tensors, many.tensors[:3])
    assert many.values == pytest.approx(many.tensors @ many.target.ravel())


@pytest.mark.parametrize(
    ("fields", "rank"),
    [
        ({"kind": "perturbed_2x2"}, 1),
        ({"kind": "perturbed_2x2", "epsilon": 0.5}, 1),
        ({"kind": "perturbed_2x2", "z": 0.0, "z_prime": 0.0}, 0),
        ({"kind": "all_but_corner", "dimension": 4}, 3),
        ({"kind": "low_rank_completion", "shape": [3, 3], "rank": 1, "observed": 4}, None),
        (
            {"kind": "sensing", "shape": [2, 2], "measurements": [{"tensor": [[1.0, 0.0], [0.0, 0.0]], "value": 1.0}]},
            None,
        ),
    ],
)
def test_infimal_rank(fields, rank):
    assert infimal_rank(problem(**fields)) == rank


def test_the_infimal_rank_is_approached_and_no_lower_one_is():
    """Singular values of the completed matrix over many values of the unobserved entry say the same."""
    rng = np.random.default_rng(0)
    for trial in range(20):
        values = rng.standard_normal((4, 2)) @ rng.standard_normal((2, 4)) if trial % 2 else rng.standard_normal((4, 4))
        row, column = rng.integers(4, size=2)
        observations = [
            {"index": [i, j], "value": float(values[i, j])}
            for i in range(4)
            for j in range(4)
            if (i, j) != (row, column)
        ]
        one = problem(kind="completion", shape=[4, 4], observations=observations)
        assert unobserved_index(one) == (row, column)
        rank = infimal_rank(one)
        core = np.delete(np.delete(values, row, axis=0), column, axis=1)
        schur = np.delete(values[row], column) @ np.linalg.pinv(core) @ np.delete(values[:, column], row)
        tries = np.concatenate([np.logspace(-3, 9, 200), -np.logspace(-3, 9, 200), [values[row, column], schur]])
        filled = np.repeat(values[None], len(tries), axis=0)
        filled[:, row, column] = tries
        spectra = np.linalg.svd(filled, compute_uv=False)
        distance = [np.sqrt((spectra[:, k:] ** 2).sum(axis=1)).min() for k in range(5)]
        assert distance[rank] < 1e-6
        assert rank == 0 or distance[rank - 1] > 1e-3
