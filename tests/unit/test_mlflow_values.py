"""What MLflow keeps of a run."""

from math import inf, isnan

import pytest

from service.cli.export import StrayOption, export
from service.client.mlflow_values import LONGEST_PARAMETER, milliseconds, name, numbers, parameters, state, tags

RUN = {
    "id": "r",
    "experiment_id": "e",
    "status": "succeeded",
    "step": 7,
    "outcome": "converged",
    "engine": "fused",
    "device": "cpu",
    "steps_per_second": 12.5,
    "error": None,
    "computed_with": {"torch": "2.13", "gpu": None},
}


def test_parameters_are_dotted_paths():
    spec = {"model": {"kind": "deep_matrix", "depth": 3}, "seed": 0, "init": {"balanced": True}, "axes": [1, 2]}
    assert dict(parameters(spec)) == {
        "model.kind": "deep_matrix",
        "model.depth": "3",
        "seed": "0",
        "init.balanced": "true",
        "axes": "[1, 2]",
    }


@pytest.mark.parametrize("more", [0, 1])
def test_a_parameter_that_mlflow_would_refuse_is_left_out(more):
    kept = dict(parameters({"text": "x" * (LONGEST_PARAMETER + more), "seed": 1}))
    assert ("text" in kept) == (not more)
    assert kept["seed"] == "1"


def test_numbers_of_vectors_and_objects_have_names_of_their_own():
    assert dict(numbers("loss", 0.5)) == {"loss": 0.5}
    assert dict(numbers("s", [1, None, 2])) == {"s.0": 1.0, "s.2": 2.0}
    assert dict(numbers("summary", {"rank": 2, "first": {"1e-4": 9}, "held": True})) == {
        "summary.rank": 2.0,
        "summary.first.1e-4": 9.0,
    }
    assert dict(numbers("x", ["Infinity", "-Infinity"])) == {"x.0": inf, "x.1": -inf}
    assert isnan(dict(numbers("x", "NaN"))["x"])


def test_names_have_no_letters_that_mlflow_refuses():
    assert name("tags.my tag/1:a_b-c") == "tags.my tag/1:a_b-c"
    assert name("a\"b(c)'d") == "a_b_c__d"


def test_tags_say_what_is_known_and_no_nulls():
    known = tags(RUN)
    assert known["rankward.run_id"] == "r"
    assert known["computed_with.torch"] == "2.13"
    assert "error" not in known
    assert "computed_with.gpu" not in known
    assert state(RUN) == "succeeded at step 7"


def test_moments_are_counted_in_milliseconds():
    assert milliseconds("1970-01-01T00:00:01.5Z") == 1500


@pytest.mark.parametrize(
    ("what", "option"),
    [
        ("mlflow", {"fields": "id"}),
        ("mlflow", {"format": "csv"}),
        ("runs", {"max_points": 5}),
        ("trajectories", {"fields": "id"}),
    ],
)
def test_an_option_that_changes_nothing_is_refused(what, option):
    (written,) = option
    with pytest.raises(StrayOption, match=f"`export {what}` has no use for --{written.replace('_', '-')};"):
        export(what, **option)
