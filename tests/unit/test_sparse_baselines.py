"""Least l1 norm and least Q: tables of known answers, programs of other solvers, flows, and certificates that fail."""

from itertools import combinations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import linprog, minimize

from service.limits import first_violation
from service.settings import Limits
from tests.helpers.specs import run_whole, spec
from workers.lab.baselines import least_l1, least_q
from workers.lab.baselines.potentials import PowerPotential, potential_of, value
from workers.lab.baselines.solutions import NotSolved
from workers.lab.baselines.solvers import solve
from workers.records import Outcome
from workers.runs.metrics import summary_metrics_of

DATA = {"kind": "regression", "inputs": [[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]], "outputs": [1.0, 1.0]}
"""The data of the table in docs/field.md, R6."""

TABLE = {
    10.0: (0.0909088553, 0.6363637149, 0.3636362851),
    1.0: (0.0886557812, 0.6371147396, 0.3628852604),
    0.3: (0.0360022945, 0.6546659018, 0.3453340982),
    0.1: (0.0046103849, 0.6651298717, 0.3348701283),
    0.01: (0.0000466173, 0.6666511276, 0.3333488724),
}


@pytest.fixture(autouse=True)
def forget():
    for function in (least_l1.minimise_l1, least_q.minimise_q):
        function.cache_clear()


def solution(problem, **model):
    return solve(spec(problem=problem, model=model, engine="auto"))


def least_sum(problem, **fields):
    return solution(problem, kind="least_l1", **fields)


def least_potential(problem, alpha, **fields):
    return solution(problem, kind="least_q", alpha=alpha, **fields)


def random_data(samples, dimension, seed, **fields):
    return {"kind": "random_regression", "samples": samples, "dimension": dimension, "seed": seed, **fields}


@pytest.mark.parametrize("alpha", TABLE)
def test_least_q_is_the_table_of_the_field(alpha):
    found = least_potential(DATA, alpha)
    np.testing.assert_allclose(found.matrix[0], TABLE[alpha], atol=1e-10)
    assert max(found.proofs.values()) < 1e-12


def test_its_ends_are_the_least_norms():
    np.testing.assert_allclose(least_potential(DATA, 1e3).matrix[0], np.array([1, 7, 4]) / 11, atol=1e-9)
    ends = np.array([0, 2, 1]) / 3
    np.testing.assert_allclose(least_potential(DATA, 1e-7).matrix[0], ends, atol=1e-9)
    np.testing.assert_allclose(least_sum(DATA).matrix[0], ends, atol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_a_flow_of_the_network_ends_there(depth, alpha):
    inputs, outputs = np.array(DATA["inputs"]), np.array(DATA["outputs"])

    def slope(_time, state):
        u, v = np.split(state, 2)
        gradient = inputs.T @ (inputs @ (u**depth - v**depth) - outputs)
        return np.concatenate([-depth * u ** (depth - 1) * gradient, depth * v ** (depth - 1) * gradient])

    flow = solve_ivp(slope, (0, 1000), np.full(6, alpha), method="LSODA", rtol=1e-11, atol=1e-13)
    u, v = np.split(flow.y[:, -1], 2)
    found = least_potential(DATA, alpha, depth=depth).matrix[0]
    np.testing.assert_allclose(found, u**depth - v**depth, atol=1e-7)


def test_descent_of_the_network_ends_there():
    """The matrix diag(u) diag(v) of depth 2, whose u^2 - v^2 is that of a diagonal network; see R7 of docs/field.md."""
    alpha, rate = 0.1, 0.02
    inputs, outputs = np.array(DATA["inputs"]), np.array(DATA["outputs"])
    u, v = np.full(3, alpha), np.full(3, alpha)
    for _ in range(20_000):
        gradient = inputs.T @ (inputs @ (u**2 - v**2) - outputs)
        u, v = u - rate * u * gradient, v + rate * v * gradient
    np.testing.assert_allclose(least_potential(DATA, alpha).matrix[0], u**2 - v**2, atol=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_another_solver_finds_no_smaller_q(seed):
    problem, alpha = random_data(3, 7, seed), 0.3
    observed = spec(problem=problem, model={"kind": "least_q", "alpha": alpha}, engine="auto").problem.observe()
    inputs, outputs = observed.tensors, observed.outputs[:, 0]

    def q(w):
        z = w / alpha**2
        return alpha**2 * float(np.sum(2 - np.sqrt(4 + z**2) + z * np.arcsinh(z / 2)))

    conditions = {"type": "eq", "fun": lambda w: inputs @ w - outputs}
    start = np.linalg.lstsq(inputs, outputs, rcond=None)[0]
    other = minimize(q, start, constraints=conditions, method="SLSQP", options={"maxiter": 500, "ftol": 1e-14})
    found = least_potential(problem, alpha).matrix[0]
    assert q(found) <= other.fun + 1e-9
    np.testing.assert_allclose(found, other.x, atol=1e-4)


@pytest.mark.parametrize("depth", [3, 4, 9])
def test_a_potential_is_the_integral_of_its_slope(depth):
    potential = PowerPotential(depth)
    weights = np.array([-1e6, -3.0, -1e-5, 0.0, 1e-5, 0.2, 7.0, 1e6])
    np.testing.assert_allclose(potential.weight(potential.inverse(weights)), weights, rtol=1e-7, atol=1e-15)
    for weight, inverse in zip(weights[5:7], potential.inverse(weights[5:7]), strict=True):
        nodes, shares = np.polynomial.legendre.leggauss(60)
        integral = weight / 2 * (shares @ potential.inverse(weight / 2 * (nodes + 1)))
        assert value(potential, np.array([weight]))[0] == pytest.approx(integral, rel=1e-6)
        assert potential.conjugate(np.array([inverse]))[0] == pytest.approx(weight * inverse - integral, rel=1e-5)


def test_rows_of_a_regression_are_problems_of_their_own():
    rows = {"kind": "regression", "inputs": DATA["inputs"], "outputs": [[1.0, -2.0], [1.0, 0.5]]}
    for model in ({"kind": "least_l1"}, {"kind": "least_q", "alpha": 0.2}):
        both = solution(rows, **model).matrix
        for row, outputs in enumerate(([1.0, 1.0], [-2.0, 0.5])):
            alone = solution({**DATA, "outputs": outputs}, **model).matrix
            np.testing.assert_allclose(both[row], alone[0], atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_least_l1_is_the_best_of_all_vertices(seed):
    problem = random_data(3, 7, seed)
    observed = spec(problem=problem, model={"kind": "least_l1"}, engine="auto").problem.observe()
    inputs, outputs = observed.tensors, observed.outputs[:, 0]
    sums = [np.abs(np.linalg.solve(inputs[:, list(s)], outputs)).sum() for s in combinations(range(7), 3)]
    found = least_sum(problem)
    assert np.abs(found.matrix).sum() == pytest.approx(min(sums), rel=1e-12)
    assert np.count_nonzero(found.matrix) == 3
    assert abs(found.proofs["duality_gap"]) < 1e-12


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
@pytest.mark.parametrize("kind", ["low_rank_sensing", "low_rank_completion"])
def test_least_l1_is_the_program_with_sizes(kind, tolerance):
    """Written otherwise: the least sum of s with -s <= w <= s, by an interior point method."""
    count = {"measurements": 9} if kind == "low_rank_sensing" else {"observed": 9}
    problem = {"kind": kind, "shape": [4, 5], "rank": 1, "norm": 4.0, **count}
    observed = spec(problem=problem, model={"kind": "least_l1"}, engine="auto").problem.observe()
    is_sensing = kind == "low_rank_sensing"
    operator = observed.tensors if is_sensing else np.eye(20)[observed.mask.ravel()]
    values = observed.values if is_sensing else observed.values[observed.mask]
    none, one = np.zeros_like(operator), np.eye(20)
    upper = np.block([[one, -one], [-one, -one], [operator, none], [-operator, none]])
    bounds = np.concatenate([np.zeros(40), values + tolerance, tolerance - values])
    sizes = [(None, None)] * 20 + [(0, None)] * 20
    other = linprog(np.repeat([0.0, 1.0], 20), A_ub=upper, b_ub=bounds, bounds=sizes, method="highs-ipm")
    found = least_sum(problem, tolerance=tolerance)
    assert np.abs(found.matrix).sum() == pytest.approx(other.fun, rel=1e-8)
    assert found.proofs["constraint_violation"] < 1e-8


def test_sparse_weights_are_recovered_from_few_samples():
    problem = random_data(25, 50, 0, sparsity=3)
    for model in ({"kind": "least_l1"}, {"kind": "least_q", "alpha": 1e-4}):
        result = run_whole(spec(problem=problem, model=model, engine="auto"))
        assert result.progress[0].outcome == Outcome.CONVERGED
        assert result.points.columns["reconstruction_error"][0] < 1e-3


def test_observed_entries_stay_and_others_are_zero():
    problem = {"kind": "low_rank_completion", "shape": [4, 5], "rank": 2, "observed": 9}
    observed = spec(problem=problem, model={"kind": "least_l1"}, engine="auto").problem.observe()
    for found in (least_sum(problem), least_potential(problem, 0.1), least_potential(problem, 0.1, depth=3)):
        np.testing.assert_allclose(found.matrix, np.where(observed.mask, observed.values, 0.0), atol=1e-12)
    assert least_potential(problem, 0.1).solver == "none"


def test_noise_that_no_weights_meet():
    """Least squares takes the place of the observations for Q; the linear program says what tolerance is for."""
    problem = random_data(8, 3, 0, noise=0.1)
    observed = spec(problem=problem, model={"kind": "least_l1"}, engine="auto").problem.observe()
    fit = np.linalg.lstsq(observed.tensors, observed.outputs[:, 0], rcond=None)[0]
    found = least_potential(problem, 0.1)
    np.testing.assert_allclose(found.matrix[0], fit, atol=1e-10)
    assert found.proofs["constraint_violation"] < 1e-12
    with pytest.raises(NotSolved, match="No matrix meets every observation within the tolerance; raise"):
        least_sum(problem)
    assert np.abs(least_sum(problem, tolerance=1.0).matrix).sum() < np.abs(fit).sum()


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_do_not_matter(factor):
    """Q_alpha of weights is that of weights times a factor at alpha times the root of the factor."""
    scaled = {**DATA, "outputs": [factor, factor]}
    np.testing.assert_allclose(least_sum(scaled).matrix, factor * least_sum(DATA).matrix, rtol=1e-9)
    ours, theirs = least_potential(scaled, 0.1 * factor**0.5).matrix, least_potential(DATA, 0.1).matrix
    np.testing.assert_allclose(ours, factor * theirs, rtol=1e-9)


def test_a_wrong_answer_fails_its_certificate(monkeypatch):
    real = least_l1._solve
    for wrong, why in (((1.01, 1), "missed"), ((1, 0.9), "duality gap"), ((1, -1), "duality gap")):
        monkeypatch.setattr(
            least_l1, "_solve", lambda *a, wrong=wrong: tuple(f * part for f, part in zip(wrong, real(*a), strict=True))
        )
        least_l1.minimise_l1.cache_clear()
        with pytest.raises(NotSolved, match=why):
            least_sum(DATA)
    newton = least_q._newton
    monkeypatch.setattr(least_q, "_newton", lambda *arguments: 1.001 * newton(*arguments))
    with pytest.raises(NotSolved, match="missed"):
        least_potential(DATA, 0.1)


@pytest.mark.parametrize("seed", range(3))
def test_no_weights_are_below_the_bound_of_any_multipliers(seed):
    rng, alpha = np.random.default_rng(seed), 0.3
    inputs, outputs = np.array(DATA["inputs"]), np.array(DATA["outputs"])[:, None] / alpha**2
    model = spec(problem=DATA, model={"kind": "least_q", "alpha": alpha}, engine="auto").model
    weights = least_potential(DATA, alpha).matrix.T / alpha**2
    for _ in range(100):
        multipliers = rng.standard_normal((2, 1)) * 10 ** rng.uniform(-2, 1)
        certificate = least_q.certify(potential_of(model), inputs, outputs, weights, multipliers, alpha**2)
        assert certificate.gap >= -1e-12


def test_starts_beyond_the_precision_are_a_sentence():
    with pytest.raises(NotSolved, match=r"Take a larger model\.alpha"):
        least_potential(DATA, 1e-12)


@pytest.mark.parametrize("model", [{"kind": "least_l1"}, {"kind": "least_q", "alpha": 1.0}])
def test_a_solver_without_time_is_a_sentence(model):
    problem = random_data(60, 200, 0)
    with pytest.raises(NotSolved, match=r"raise model\.max_seconds"):
        solution(problem, **model, max_seconds=1e-9)


@pytest.mark.parametrize("model", [{"kind": "least_l1"}, {"kind": "least_q", "alpha": 1.0}])
def test_a_solve_that_takes_too_much_memory_is_refused(model):
    run = spec(problem=random_data(5000, 10_000, 0), model=model, engine="auto")
    path, sentence = first_violation(run, Limits(max_observed_numbers=10**9, max_solver_bytes=10**9))
    assert path == ("problem",)
    assert "RANKWARD_MAX_SOLVER_BYTES" in sentence


def test_the_summary_has_what_is_proven():
    problem = spec(problem=DATA, model={"kind": "least_l1"}, engine="auto")
    assert set(summary_metrics_of(problem)) == {"solver", "duality_gap", "constraint_violation"}
    potential = spec(problem=DATA, model={"kind": "least_q", "alpha": 1.0}, engine="auto")
    assert set(summary_metrics_of(potential)) == {"solver", "duality_gap", "constraint_violation", "stationarity"}
