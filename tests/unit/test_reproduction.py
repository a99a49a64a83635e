"""Where two trajectories differ, and why they may."""

import pytest

from service.client.reproduction import first_difference, unlike

POINTS = {"step": [0, 1, 10], "loss": [1.0, 0.5, 0.1], "determinant_sign": [1, 1, -1]}
RUN = {
    "engine": "fused",
    "device": "cpu",
    "computed_with": {"rankward": "1.0", "torch": "2.13.0", "processor": "A", "gpu": None},
}


def test_equal_bits():
    assert first_difference(POINTS, {name: list(column) for name, column in POINTS.items()}) is None
    assert first_difference({"step": [0], "loss": ["NaN"]}, {"step": [0], "loss": ["NaN"]}) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"loss": [1.0, 0.5000000000000001, 0.1]}, "`loss` at step 1 is 0.5000000000000001 and was 0.5"),
        ({"loss": [1.0, 0.5, 0.2], "determinant_sign": [1, -1, -1]}, "`determinant_sign` at step 1 is -1 and was 1"),
        ({"loss": [-0.0, 0.5, 0.1]}, "`loss` at step 0 is -0.0 and was 1.0"),
        ({"step": [0, 1, 9]}, "one of them has no point at step 9"),
        ({"step": [0, 1], "loss": [1.0, 0.5], "determinant_sign": [1, 1]}, "one of them has no point at step 10"),
        ({"objective": [1.0, 0.5, 0.1]}, "`objective` at step 0 is 1.0 and was None"),
    ],
)
def test_the_first_difference(changed, said):
    assert str(first_difference(POINTS, {**POINTS, **changed})) == said


def test_zeros_of_two_signs_are_not_the_same_bits():
    assert first_difference({"step": [0], "loss": [0.0]}, {"step": [0], "loss": [-0.0]}) is not None


def test_what_two_runs_were_not_computed_with_alike():
    assert unlike(RUN, RUN) == []
    elsewhere = {**RUN, "engine": "torch", "device": "cuda"}
    elsewhere["computed_with"] = {**RUN["computed_with"], "torch": "2.14.1", "gpu": "H200"}
    assert unlike(RUN, elsewhere) == [
        "the engine is torch and was fused",
        "the device is cuda and was cpu",
        "torch is 2.14.1 and was 2.13.0",
        "gpu is H200 and was none",
    ]
    assert unlike({**RUN, "computed_with": None}, RUN) == ["it is not known with what the first was computed"]
