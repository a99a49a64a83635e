"""Units: what is relative to the data does not change when all of it is multiplied by a number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.specs import run_whole, spec
from workers.lab.baselines.nuclear_norm import minimise_nuclear_norm
from workers.lab.rank_search import RANKS, advance_search, begin_search, is_done, search_summary
from workers.records import Outcome
from workers.runs.costs import most_points
from workers.runs.initializers import starting_factors
from workers.runs.models.nuclear_norm import TOLERANCE, NuclearNorm
from workers.runs.observations import observe

START = {"kind": "gaussian", "std": 0.2}
NORMS = [1e-150, 1e-9, 1e-3, 1e4, 1e150]


def low_rank(shape, rank, norm, seed=0, **more):
    observed = int(0.7 * np.prod(shape))
    problem = {"kind": "low_rank_completion", "shape": shape, "rank": rank, "norm": norm, "seed": seed}
    return problem | {"observed": observed} | more


def ranks(run, product=None):
    factors = starting_factors(run) if product is None else product
    state, search = np.concatenate([factor.ravel() for factor in factors]), begin_search(Outcome.CONVERGED)
    while not is_done(run, search):
        search = advance_search(run, search, state)
    measured = search_summary(run, search)
    return {name: measured[name] for name in RANKS}, measured["linear_reconstruction_error"]


@given(
    rows=st.integers(2, 40),
    columns=st.integers(2, 40),
    share=st.floats(0, 1),
    exponent=st.integers(-150, 150),
    seed=st.integers(0, 2**40),
)
def test_the_rank_of_a_target_is_the_one_it_was_made_with(rows, columns, share, exponent, seed):
    rank = max(1, round(share * min(rows, columns)))
    problem = low_rank([rows, columns], rank, 10.0**exponent, seed)
    run = spec(problem=problem, model={"kind": "deep_matrix", "depth": 1}, init=START)
    measured, error = ranks(run, [observe(run.problem).target])
    assert measured["target_rank"] == rank
    assert measured["rank"] <= rank
    assert 0 < error < 1.0000001


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("shape", "rank"), [([4, 4], 2), ([40, 40], 20), ([7, 5], 3), ([4, 3, 2], 2)])
def test_ranks_do_not_depend_on_the_norm(shape, rank, norm):
    model = {"kind": "deep_matrix", "depth": 1} if len(shape) == 2 else {"kind": "cp_tensor", "rank": 4}

    def of(size):
        run = spec(problem=low_rank(shape, rank, size), model=model, init=START)
        scale = size ** (1 / len(run.factor_shapes))
        return ranks(run, [scale * factor for factor in starting_factors(run)])

    (measured, error), (usual, usual_error) = of(norm), of(1.0)
    assert measured == usual
    assert measured["target_rank"] == rank
    assert error == pytest.approx(usual_error, rel=1e-9)


@pytest.mark.parametrize("norm", [1e-9, 1e-3, 0.1])
def test_the_default_baseline_of_small_data_is_that_of_large_data_made_smaller(norm):
    baseline = {"model": {"kind": "nuclear_norm"}, "init": START}
    unit = 1.0 / np.abs(observe(spec(problem=low_rank([6, 5], 1, 1.0), **baseline).problem).values).max()
    large = spec(problem=low_rank([6, 5], 1, unit), **baseline)
    small = spec(problem=low_rank([6, 5], 1, unit * norm), **baseline)
    left, right = (minimise_nuclear_norm(run.problem, run.model).matrix for run in (large, small))
    np.testing.assert_allclose(right / norm, left, atol=1e-5)
    assert np.abs(right).max() > 0.1 * norm * np.abs(left).max()


@pytest.mark.parametrize(("largest", "tolerance"), [(1e-6, TOLERANCE * 1e-6), (1.0, TOLERANCE), (50.0, TOLERANCE)])
def test_the_default_tolerance_is_absolute_from_size_one_on(largest, tolerance):
    assert NuclearNorm(kind="nuclear_norm").tolerance_for(largest) == tolerance
    assert NuclearNorm(kind="nuclear_norm", tolerance=0.5).tolerance_for(largest) == 0.5


@pytest.mark.parametrize("engine", ["torch", "fused", "flow"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_limit_of_zero_is_never_met(engine, precision):
    factors = [[[1.0, 0.0], [0.0, 1.0]]]
    problem = {"kind": "completion", "shape": [2, 2], "observations": [{"index": [0, 0], "value": 1.0}]}
    run = {"problem": problem, "model": {"kind": "deep_matrix", "depth": 1}}
    run |= {"init": {"kind": "explicit", "factors": factors}, "engine": engine}
    if engine == "flow":
        run |= {"optimizer": {"kind": "gradient_flow"}, "stop": {"max_time": 1.0, "loss_below": 0}}
    else:
        run |= {"stop": {"max_steps": 5, "loss_below": 0}, "precision": precision}
    result = run_whole(spec(**run))
    assert result.points.columns["loss"].tolist() == [0.0] * len(result.points.member)
    assert result.progress[0].outcome is Outcome.BUDGET_EXHAUSTED


@pytest.mark.parametrize("record", [{"every": 0}, {"points_per_decade": 0}])
@pytest.mark.parametrize("engine", ["torch", "fused", "flow"])
@pytest.mark.parametrize("limit", [0.0, 0.4])
def test_a_schedule_of_zero_records_the_start_and_the_end(engine, record, limit):
    if engine == "flow" and "every" in record:
        record = {"points_per_decade": 0}
    parts = {"model": {"kind": "deep_matrix", "depth": 2}, "init": {"kind": "identity", "scale": 0.3}}
    if engine == "flow":
        parts |= {"optimizer": {"kind": "gradient_flow"}, "stop": {"max_time": 30.0, "loss_below": limit}}
    else:
        parts |= {"stop": {"max_steps": 500, "loss_below": limit}}
    run = spec(**parts, engine=engine, record=record)
    usual = spec(**parts, engine=engine)
    columns, all_columns = (run_whole(each).points.columns for each in (run, usual))
    assert len(columns["step"]) == 2
    for name in columns.keys() - {"step"}:
        np.testing.assert_array_equal(columns[name], all_columns[name][[0, -1]], err_msg=name)
    assert most_points(run) == 2
