"""Every preset that theory speaks of, over HTTP: the bound holds where it must, and the listed numbers come out."""

from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pytest

from service.client.api import Rankward

Judged = list[tuple[dict[str, Any], dict[str, Any]]]

PERTURBED_AT_1E_4 = {0.5: 1.92, 0.1: 8.73, 0.05: 15.56, 0.01: 41.4}
FIRST_LOSS_RISE = {0.05: 16.3, 0.1: 10.2, 0.2: 6.9}


@pytest.fixture(scope="module")
def judged(client: Rankward) -> Callable[[str], Judged]:
    """The finished runs of a preset, each with what theory says of it."""
    known: dict[str, Judged] = {}

    def finish(preset: str) -> Judged:
        if preset not in known:
            experiment = client.submit(client.preset(preset))
            assert client.wait(experiment["id"])["status"] == "succeeded"
            runs = list(client.runs(experiment["id"]))
            known[preset] = [(run, client.theory(run["id"])) for run in runs]
        return known[preset]

    return finish


@pytest.mark.parametrize(
    ("preset", "kept"),
    [
        ("figure_1", 22),
        ("fifty_million_steps", 1),
        ("perturbed", 25),
        ("higher_dimension", 12),
        ("scaled_identity", 8),
        ("determinant_sign", 10),
        ("large_learning_rate", 6),
        ("norms_and_rank", 2),
        ("symmetric", 54),
    ],
)
def test_the_bounds_hold_while_the_determinant_keeps_its_sign(judged, preset, kept):
    """`kept`: how many runs keep a sign that is beyond rounding to their end."""
    speaking = [(run, theory) for run, theory in judged(preset) if theory["applies"]]
    assert sum(theory["sign_held_until"] == run["step"] for run, theory in speaking) == kept
    for run, theory in speaking:
        assert theory["bound_holds"] is True
        assert theory["worst_margin"] is None or theory["worst_margin"] >= 1 - 1e-9
        columns = {name: np.array(column, dtype=float) for name, column in theory["columns"].items()}
        held = columns["step"] <= theory["sign_held_until"]
        assert (np.abs(columns["unobserved_entry"]) >= columns["bound"] * (1 - 1e-9))[held].all()
        for name in ("effective_rank", "distance_to_infimal_rank"):
            if f"{name}_at_most" in columns:
                assert (columns[name] <= columns[f"{name}_at_most"] * (1 + 1e-9))[held].all()
        if theory["sign_held_until"] == run["step"]:
            assert theory["worst_margin"] is not None


def test_balanced_runs_of_depth_3_run_along_the_bound(judged):
    for run, theory in judged("figure_1"):
        if run["spec"]["init"]["balanced"] and run["spec"]["model"]["depth"] == 3:
            columns = {name: np.array(theory["columns"][name]) for name in ("loss", "unobserved_entry", "bound")}
            late = columns["loss"] < 1e-2
            assert columns["unobserved_entry"][late] == pytest.approx(columns["bound"][late], rel=0.02)
            law = theory["tightness_law"]["unobserved_entry"]
            assert run["summary"]["unobserved_entry"] == pytest.approx(law, rel=0.01)


def test_higher_dimensions_grow_by_the_law_of_2x2(judged):
    for run, theory in judged("higher_dimension"):
        law = theory["tightness_law"]["unobserved_entry"]
        assert abs(run["summary"]["unobserved_entry"]) == pytest.approx(law, rel=0.04)


@pytest.mark.parametrize(("epsilon", "expected"), PERTURBED_AT_1E_4.items())
def test_perturbed_observations_make_the_limit_finite(judged, epsilon, expected):
    found = [
        (run["summary"]["unobserved_entry"], theory)
        for run, theory in judged("perturbed")
        if run["spec"]["problem"]["epsilon"] == epsilon
    ]
    assert median(abs(entry) for entry, _ in found) == pytest.approx(expected, rel=0.03)
    assert {theory["predicted_limit"] for _, theory in found} == {-1 / epsilon}
    assert len(found) == 5


def test_unperturbed_observations_have_no_limit(judged):
    for run, theory in judged("perturbed"):
        if run["spec"]["problem"]["epsilon"] == 0:
            assert theory["predicted_limit"] == "Infinity"
            assert run["summary"]["unobserved_entry"] ** 2 > 4900


def test_every_scale_of_the_identity_gives_the_same_entry_at_time_1000(judged):
    runs = judged("scaled_identity")
    assert all(run["outcome"] == "converged" for run, _ in runs)
    shallow = [theory["columns"] for run, theory in runs if run["spec"]["model"]["depth"] == 2]
    at_1000 = [np.interp(1000, columns["time"], columns["unobserved_entry"]) for columns in shallow]
    assert at_1000 == pytest.approx([17.9] * 4, rel=0.01)


def test_a_shallow_run_says_where_its_sign_is_lost_to_rounding(judged):
    """ln det falls as -W00^2 / 2 at depth 2, and descent goes on along the curve all the same."""
    for run, theory in judged("scaled_identity"):
        is_shallow = run["spec"]["model"]["depth"] == 2
        assert (theory["undecided_from"] is not None) == is_shallow
        if is_shallow:
            lost = theory["columns"]["step"].index(theory["undecided_from"])
            assert 5 < theory["columns"]["unobserved_entry"][lost] < 12


@pytest.mark.parametrize(("rate", "expected"), FIRST_LOSS_RISE.items())
def test_sharpness_passes_two_over_the_rate_and_comes_back_to_it(judged, rate, expected, client: Rankward):
    for run, _ in judged("large_learning_rate"):
        if run["spec"]["optimizer"]["learning_rate"] == rate:
            assert run["engine"] == "fused"
            columns = client.trajectory(run["id"])["columns"]
            sharpness, entry = np.array(columns["sharpness"]), np.abs(columns["unobserved_entry"])
            met, rises = int(np.argmax(sharpness > 2 / rate)), int(np.argmax(np.diff(columns["loss"]) > 0))
            assert 0 < met < rises
            assert 0.65 * expected < entry[met] < expected
            assert np.median(sharpness[-1000:]) == pytest.approx(2 / rate, rel=0.1)


def test_no_optimizer_takes_a_symmetric_product_off_the_curve(judged):
    """Its determinant is never negative, so the entry stays on or above the bound of its loss, ever growing."""
    for _, theory in judged("symmetric"):
        columns = {
            name: np.array(theory["columns"][name], dtype=float) for name in ("loss", "unobserved_entry", "bound")
        }
        assert (np.array(theory["columns"]["determinant_sign"]) >= 0).all()
        assert columns["loss"][-1] > 0
        late = columns["loss"] < 1e-2
        assert late.any()
        assert columns["unobserved_entry"][late] == pytest.approx(columns["bound"][late], rel=0.05)


@pytest.mark.parametrize(("rate", "expected"), FIRST_LOSS_RISE.items())
def test_descent_with_a_large_rate_leaves_where_sharpness_meets_it(judged, rate, expected):
    for run, theory in judged("large_learning_rate"):
        if run["spec"]["optimizer"]["learning_rate"] == rate:
            columns = theory["columns"]
            before = int(np.argmax(np.diff(columns["loss"]) > 0))
            assert abs(columns["unobserved_entry"][before]) == pytest.approx(expected, rel=0.1)
            predicted = theory["stability_limit"]
            assert predicted["unobserved_entry"] == pytest.approx(expected, rel=0.2)
            assert predicted["loss"] == pytest.approx(columns["loss"][before], rel=0.6)


def test_the_other_sign_of_the_determinant_has_no_bound(judged):
    """The negative control: theory declines, and runs do fall below the curve."""
    for run, theory in judged("determinant_sign"):
        is_positive = run["spec"]["init"]["determinant"] == "positive"
        assert theory["applies"] is is_positive
        if not is_positive:
            assert "starts negative" in theory["reason"]
            assert abs(run["summary"]["unobserved_entry"]) < 70.6
        elif run["spec"]["model"]["depth"] > 2:
            assert abs(run["summary"]["unobserved_entry"]) > 70.6


def test_all_norms_go_up_and_the_rank_goes_down(judged, client: Rankward):
    for run, theory in judged("norms_and_rank"):
        columns = client.trajectory(run["id"])["columns"]
        for name in ("frobenius_norm", "nuclear_norm", "spectral_norm", "schatten_quasi_norm"):
            assert columns[name][-1] > 70
        assert columns["effective_rank"][-1] < 1.001
        held = np.array(columns["step"]) <= theory["sign_held_until"]
        entry, certificate = np.abs(columns["unobserved_entry"]), np.array(theory["columns"]["certificate"])
        assert (entry >= certificate * (1 - 1e-9))[held].all()
