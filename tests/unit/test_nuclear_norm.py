"""The nuclear norm baseline: known answers, certificates that fail what is wrong, what does not apply to it."""

import subprocess
import sys

import numpy as np
import pytest

from service.limits import first_violation
from service.settings import Limits
from tests.helpers.specs import member, run_whole, spec
from workers.lab.baselines import nuclear_norm
from workers.lab.baselines.certificates import certify
from workers.lab.baselines.constraints import constraints_of
from workers.lab.baselines.nuclear_norm import minimise_nuclear_norm
from workers.lab.baselines.solutions import NotSolved
from workers.records import Batch, Budget, Outcome
from workers.runs.engines import batch_key, engine_of
from workers.runs.metrics import metrics_of, summary_metrics_of
from workers.runs.observations import observe
from workers.runs.spec import RunSpec
from workers.slices import run_slice

BASELINE = {"kind": "nuclear_norm"}


def low_rank(kind="completion", shape=(9, 9), **fields):
    amount = {"observed": 60} if kind == "completion" else {"measurements": 55}
    return {"kind": f"low_rank_{kind}", "shape": list(shape), "rank": 1, "norm": 9.0, **amount, **fields}


@pytest.fixture(autouse=True)
def forget():
    minimise_nuclear_norm.cache_clear()


@pytest.mark.parametrize("solver", ["auto", "clarabel", "scs"])
@pytest.mark.parametrize("tolerance", [1e-3, 0])
def test_the_basic_setting_has_norm_two_and_nothing_unobserved(solver, tolerance):
    result = run_whole(spec(model=BASELINE | {"solver": solver, "tolerance": tolerance}))
    (progress,), columns = result.progress, result.points.columns
    assert (result.engine, result.device, progress.outcome) == ("convex", "cpu", Outcome.CONVERGED)
    assert progress.summary["solver"].split()[0] == ("clarabel" if solver == "auto" else solver)
    assert progress.summary["duality_gap"] < 1e-4
    assert progress.summary["constraint_violation"] <= 1e-6
    assert columns["step"].tolist() == [0]
    assert columns["nuclear_norm"][0] == pytest.approx(2 * (1 - tolerance), rel=1e-4)
    assert columns["unobserved_entry"][0] == pytest.approx(0, abs=1e-3)
    assert columns["loss"][0] == pytest.approx(tolerance**2, rel=1e-2, abs=1e-12)  # two observations at their limits


@pytest.mark.parametrize("solver", ["clarabel", "scs"])
@pytest.mark.parametrize("kind", ["completion", "sensing"])
@pytest.mark.parametrize("shape", [(9, 9), (6, 11)])
def test_a_low_rank_target_is_recovered_from_many_observations(solver, kind, shape):
    amount = {"observed": shape[0] * shape[1] - 6} if kind == "completion" else {}
    run = spec(model=BASELINE | {"solver": solver, "tolerance": 1e-4}, problem=low_rank(kind, shape, **amount))
    result = run_whole(run)
    assert result.progress[0].error is None
    assert result.points.columns["reconstruction_error"][0] < 1e-3
    assert result.points.columns["effective_rank"][0] < 1.02
    assert result.progress[0].summary["target_rank"] == 1


def test_it_is_no_larger_than_what_descent_finds():
    problem = low_rank("completion", observed=30, norm=1.0)
    baseline = run_whole(spec(model=BASELINE | {"tolerance": 1e-4}, problem=problem))
    descent = spec(
        model={"kind": "deep_matrix", "depth": 2},
        problem=problem,
        init={"kind": "gaussian", "std": 1e-2},
        optimizer={"kind": "gradient_descent", "learning_rate": 0.5},
        stop={"max_steps": 20_000, "loss_below": 1e-9},
    )
    found = run_whole(descent)
    assert found.progress[0].outcome == Outcome.CONVERGED
    assert baseline.points.columns["nuclear_norm"][0] <= found.points.columns["nuclear_norm"][-1]


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_units_do_not_matter(factor):
    small = run_whole(spec(model=BASELINE, problem=low_rank())).points.columns
    run = spec(model=BASELINE | {"tolerance": 1e-3 * factor}, problem=low_rank(norm=9.0 * factor))
    large = run_whole(run).points.columns
    for name in ("nuclear_norm", "spectral_norm"):
        assert large[name][0] == pytest.approx(small[name][0] * factor, rel=1e-3)


def test_where_zero_is_good_enough_nothing_is_solved():
    (progress,) = run_whole(spec(model=BASELINE | {"tolerance": 1.0})).progress
    assert progress.summary["solver"] == "none"
    assert progress.checkpoint.state.tolist()[:4] == [0] * 4


def test_observations_that_contradict_each_other_are_a_sentence():
    problem = {
        "kind": "sensing",
        "shape": [2, 2],
        "measurements": [{"tensor": [[1.0, 0.0], [0.0, 0.0]], "value": value} for value in (1.0, 2.0)],
    }
    (progress,) = run_whole(spec(model=BASELINE, problem=problem)).progress
    assert progress.outcome is None
    assert progress.error == "No matrix meets every observation within the tolerance; raise model.tolerance."
    assert progress.checkpoint is None


@pytest.mark.parametrize("solver", ["clarabel", "scs"])
def test_a_solver_without_time_is_a_sentence(solver):
    model = BASELINE | {"solver": solver, "max_seconds": 1e-6}
    (progress,) = run_whole(spec(model=model, problem=low_rank())).progress
    assert progress.outcome is None
    assert solver in progress.error
    assert "model.max_seconds" in progress.error


def test_a_wrong_answer_of_a_solver_fails_its_certificate(monkeypatch):
    """Whatever a solver says of itself: its matrix is moved, or its multipliers are, and neither is believed."""
    run, real = spec(model=BASELINE, problem=low_rank()), nuclear_norm._solve
    for wrong in (lambda w, v: (w + 0.01, v), lambda w, v: (w, 0.9 * v), lambda w, v: (w, 2 * v), lambda w, v: (w, -v)):

        def solve(*arguments, wrong=wrong):
            return wrong(*real(*arguments))

        monkeypatch.setattr(nuclear_norm, "_solve", solve)
        minimise_nuclear_norm.cache_clear()
        if wrong(1, 1) == (1, 2):  # too long multipliers are shortened, and prove what they did before
            assert minimise_nuclear_norm(run.problem, run.model).proofs["duality_gap"] < 1e-4
        else:
            with pytest.raises(NotSolved, match="duality gap"):
                minimise_nuclear_norm(run.problem, run.model)


def test_a_first_answer_that_is_not_good_enough_is_followed_by_a_better_one(monkeypatch):
    run, asked, real = spec(model=BASELINE | {"solver": "scs"}, problem=low_rank()), [], nuclear_norm._solve

    def solve(constraints, name, accuracy, seconds):
        asked.append(accuracy)
        matrix, multipliers = real(constraints, name, accuracy, seconds)
        return matrix, multipliers * (0.9 if len(asked) == 1 else 1)

    monkeypatch.setattr(nuclear_norm, "_solve", solve)
    assert minimise_nuclear_norm(run.problem, run.model).proofs["duality_gap"] < 1e-4
    assert asked == list(nuclear_norm.ACCURACIES)


def test_no_feasible_matrix_is_below_a_certificate_s_bound():
    run = spec(model=BASELINE, problem=low_rank())
    constraints = constraints_of(observe(run.problem), (9, 9), 1e-3)
    rng = np.random.default_rng(0)
    least = minimise_nuclear_norm(run.problem, run.model)
    norm = np.linalg.norm(least.matrix, "nuc")
    for _ in range(200):
        multipliers = rng.standard_normal(len(constraints.values)) * 10 ** rng.uniform(-2, 1)
        assert certify(constraints, least.matrix / constraints.scale, multipliers).bound <= norm * (1 + 1e-12)
    far = certify(constraints, rng.standard_normal((9, 9)), np.zeros(len(constraints.values)))
    assert "missed" in far.complaint()


def test_what_does_not_apply_may_be_left_out_or_given():
    bare = RunSpec.model_validate({"problem": {"kind": "perturbed_2x2"}, "model": BASELINE})
    assert RunSpec.model_validate(bare.resolved()) == bare
    explicit = spec(model=BASELINE, init={"kind": "explicit", "factors": [[[1.0]]]}, engine="fused", device="cuda")
    assert engine_of(explicit) == engine_of(bare) == "convex"
    assert batch_key(explicit) != batch_key(spec())
    ours, theirs = run_whole(bare), run_whole(explicit)
    np.testing.assert_array_equal(ours.points.columns["singular_values"], theirs.points.columns["singular_values"])
    assert not {"gradient_norm", "balancedness_gap", "sharpness"} & set(metrics_of(spec(model=BASELINE, record=RECORD)))
    assert set(summary_metrics_of(bare)) == {"solver", "duality_gap", "constraint_violation"}


RECORD = {"metrics": ["sharpness"]}


def test_a_slice_begun_again_records_nothing_twice():
    run = spec(model=BASELINE, problem=low_rank())
    first = run_whole(run).progress[0]
    again = run_slice(Batch((member(run, first.checkpoint),)), Budget(60))
    assert again.progress[0].outcome == Outcome.CONVERGED
    np.testing.assert_array_equal(again.progress[0].checkpoint.state, first.checkpoint.state)
    assert not len(again.points.member)


@pytest.mark.processes
def test_cvxpy_is_loaded_by_the_first_solve_only():
    script = "import sys, workers.lab.execution, workers.lab.engines.convex; print('cvxpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"


def of_size(rows, solver, kind="low_rank_completion", count=None):
    counted = {"observed" if kind == "low_rank_completion" else "measurements": count or rows * rows // 2}
    problem = {"kind": kind, "shape": [rows, rows], "rank": 2, **counted}
    return spec(problem=problem, model={"kind": "nuclear_norm", "solver": solver}, engine="auto")


@pytest.mark.parametrize(
    ("run", "pointer", "advice"),
    [
        (of_size(150, "clarabel", count=11_000), ("model", "solver"), "take the solver 'scs'"),
        (of_size(70, "clarabel"), ("model", "solver"), "take the solver 'scs'"),
        (of_size(100, "auto", "low_rank_sensing", 1500), ("problem",), "take a smaller matrix"),
    ],
)
def test_a_solve_that_takes_too_much_memory_is_refused_with_what_to_do(run, pointer, advice):
    path, sentence = first_violation(run, Limits())
    assert path == pointer
    assert advice in sentence
    assert "RANKWARD_MAX_SOLVER_BYTES" in sentence
    assert first_violation(run, Limits(max_solver_bytes=10**12)) is None


@pytest.mark.parametrize("rows", range(2, 151))
def test_the_solver_that_suits_the_size_is_within_the_limit(rows):
    assert first_violation(of_size(rows, "auto"), Limits()) is None
    assert first_violation(of_size(rows, "scs"), Limits()) is None
    assert (first_violation(of_size(rows, "clarabel"), Limits()) is None) == (rows <= 66)


MEASURED = """
import sys
from pathlib import Path
from tests.unit.test_nuclear_norm import of_size
from workers.lab.baselines.nuclear_norm import minimise_nuclear_norm
from workers.lab.baselines.solutions import NotSolved

def solve(run):
    try:
        minimise_nuclear_norm(run.problem, run.model)
    except NotSolved:
        pass
    # Not ru_maxrss, which a process inherits from the one that started it.
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return 1024 * int(peak.split()[1])

kind = sys.argv[2]
idle = solve(of_size(4, sys.argv[1], kind))
print(solve(of_size(int(sys.argv[3]), sys.argv[1], kind)) - idle)
"""


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_the_memory_of_a_solve_is_about_as_estimated():
    solver, kind, rows = "clarabel", "low_rank_completion", 30
    run = of_size(rows, solver, kind)
    command = [sys.executable, "-c", MEASURED, solver, kind, str(rows)]
    measured = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()[-1])
    numbers = run.problem.observation_count if run.problem.observes_entries else run.problem.observed_numbers
    assert 0.4 < measured / run.model.solver_bytes(run.problem.shape, numbers) < 2.5
