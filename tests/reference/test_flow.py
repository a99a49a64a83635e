"""What the gradient flow must show (numbers that were found independently of this engine); descent follows it."""

import numpy as np
import pytest

from tests.helpers.specs import flow, run_whole
from workers.records import Outcome
from workers.runs.theory.bounds import basic_bound
from workers.runs.theory.verdicts import columns_needed, judge

TO_1E_8 = {"max_time": 1e12, "loss_below": 1e-8}
ENTRIES = {"points_per_decade": 1, "entries": [[0, 0], [0, 1], [1, 0], [1, 1]]}


def matrix(depth):
    return {"kind": "deep_matrix", "depth": depth}


def balanced(std):
    return {"kind": "gaussian", "std": std, "std_of": "product", "balanced": True, "determinant": "positive"}


def verdict_on(spec, columns):
    return judge(spec, {name: columns[name] for name in columns_needed(spec)})


@pytest.mark.parametrize(
    ("depth", "time", "expected", "within"),
    [(3, 3000.0, 43.656, 0.01), (2, 1000.0, 17.9, 0.05), (2, 20_000.0, 49.2, 0.05)],
)
def test_identity_factors_grow_as_the_flow_does(depth, time, expected, within):
    result = run_whole(flow(model=matrix(depth), stop={"max_time": time}))
    columns = result.points.columns
    assert result.progress[0].outcome == Outcome.BUDGET_EXHAUSTED
    assert columns["time"][0] == 0
    assert columns["time"][-1] == time == result.progress[0].summary["time"]
    assert columns["unobserved_entry"][-1] == pytest.approx(expected, abs=within)


@pytest.mark.parametrize("init", [{"kind": "identity", "scale": 0.1}, balanced(1e-5), balanced(1e-10)])
def test_depth_2_goes_on_where_entries_cannot_tell_the_determinant(init):
    """ln|det W| falls to -2.5e7: float64 entries lose its sign near |W00| = 8 and fit exactly near 20."""
    spec = flow(model=matrix(2), init=init, stop=TO_1E_8)
    result = run_whole(spec)
    last = {name: column[-1] for name, column in result.points.columns.items()}
    assert result.progress[0].outcome == Outcome.CONVERGED
    assert last["loss"] == pytest.approx(1e-8, rel=1e-9)
    assert last["loss"] < 1e-8
    assert abs(last["unobserved_entry"]) == pytest.approx(7071.07, abs=0.01)
    assert last["time"] == pytest.approx(5.9e10, rel=0.01)
    assert last["log_abs_determinant"] == pytest.approx(-2.5e7, rel=0.01)
    assert last["determinant_sign"] == 1
    assert last["singular_values"].tolist() == [pytest.approx(7071.07, abs=0.01), 0.0]
    verdict = verdict_on(spec, result.points.columns)
    assert verdict.sign_held_until == result.progress[0].checkpoint.step
    assert verdict.undecided_from is None
    assert verdict.bound_holds
    assert verdict.stability_limit is None
    assert verdict.tightness_law.unobserved_entry == pytest.approx(7071.07, rel=1e-3)


@pytest.mark.parametrize("init", [{"kind": "identity", "scale": 0.1}, balanced(1e-6), balanced(1e-2)])
def test_depth_3_is_tight_along_the_balanced_flow(init):
    columns = run_whole(flow(init=init, stop={"max_time": 1e9, "loss_below": 1e-6})).points.columns
    entry, bound = np.abs(columns["unobserved_entry"]), basic_bound(columns["loss"])
    late = columns["loss"] < 1e-2
    assert late.sum() > 30
    assert entry[late] / bound[late] == pytest.approx(1, abs=0.02)
    assert (entry >= bound * (1 - 1e-9)).all()


@pytest.mark.parametrize("seed", range(3))
def test_depth_3_from_product_std_1e_6_at_time_3000(seed):
    columns = run_whole(flow(init=balanced(1e-6), stop={"max_time": 3000.0}, seed=seed)).points.columns
    assert 43.0 < abs(columns["unobserved_entry"][-1]) < 43.3


@pytest.mark.parametrize(("depth", "init"), [(2, balanced(1e-2)), (3, balanced(1e-2)), (3, balanced(1e-3))])
def test_halving_the_learning_rate_halves_the_distance_to_the_flow(depth, init):
    rates, time = [0.02, 0.01, 0.005, 0.0025], 20.0
    parts = {"model": matrix(depth), "init": init, "record": ENTRIES}
    reached = run_whole(flow(**parts, stop={"max_time": time})).points.columns["entries"][-1]
    descents = [
        flow(
            **parts,
            optimizer={"kind": "gradient_descent", "learning_rate": rate},
            stop={"max_steps": round(time / rate)},
        )
        for rate in rates
    ]
    result = run_whole(*descents)
    ends = [result.points.columns["entries"][one.last_point] for one in result.progress]
    distances = np.array([np.linalg.norm(end - reached) for end in ends])
    assert distances[0] < 0.02
    assert distances[:-1] / distances[1:] == pytest.approx(2, abs=0.02)


def test_a_perturbed_flow_comes_to_its_limit():
    problem = {"kind": "perturbed_2x2", "z": -2.0, "z_prime": 0.5, "epsilon": 0.1}
    init = {**balanced(1e-4), "determinant": "negative"}
    spec = flow(problem=problem, init=init, stop={"max_time": 1e9, "loss_below": 1e-8})
    result = run_whole(spec)
    assert result.progress[0].outcome == Outcome.CONVERGED
    assert abs(result.points.columns["unobserved_entry"][-1]) == pytest.approx(9.99, abs=0.01)
    assert set(result.points.columns["determinant_sign"]) == {-1.0}
    verdict = verdict_on(spec, result.points.columns)
    assert verdict.bound_holds
    assert verdict.sign_held_until == result.progress[0].checkpoint.step


@pytest.mark.parametrize("dimension", [3, 5])
@pytest.mark.parametrize("depth", [2, 3])
def test_higher_dimensions_run_along_their_bound(dimension, depth):
    problem = {"kind": "all_but_corner", "dimension": dimension}
    spec = flow(problem=problem, model=matrix(depth), init=balanced(1e-3), stop={"max_time": 1e9, "loss_below": 1e-5})
    result = run_whole(spec)
    columns = result.points.columns
    assert result.progress[0].outcome == Outcome.CONVERGED
    assert abs(columns["unobserved_entry"][-1]) == pytest.approx(1 / np.sqrt(2e-5), rel=0.02)
    verdict = verdict_on(spec, columns)
    assert verdict.bound_holds
    assert verdict.sign_held_until == result.progress[0].checkpoint.step
