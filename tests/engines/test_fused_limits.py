"""What the fused engine does not take: each limit is named, and none of what it runs."""

import pytest

from tests.engines.fused_cases import CASES, spec
from workers.runs.engines import fused_limit

REGRESSION = {
    "kind": "regression",
    "inputs": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
    "outputs": [[1.0, 0.0], [0.5, 1.0], [0.0, 1.0]],
}

LIMITED = {
    "more measurements than entries": (
        {"problem": {"kind": "low_rank_sensing", "shape": [2, 2], "rank": 1, "measurements": 5}},
        "no more measurements than entries, 4, and this problem has 5",
    ),
    "many measured entries": (
        {"problem": {"kind": "low_rank_sensing", "shape": [51, 50], "rank": 1, "measurements": 5}},
        "2,550",
    ),
    "many measurements": (
        {"problem": {"kind": "low_rank_sensing", "shape": [50, 50], "rank": 1, "measurements": 1700}},
        "4,194,304 numbers of measurements, and here are 4,250,000",
    ),
    "measurements on a GPU": (
        {
            "problem": {"kind": "low_rank_sensing", "shape": [2, 2], "rank": 1, "measurements": 3},
            "device": "cuda",
        },
        "on a CPU only",
    ),
    "noisy measurements": (
        {
            "problem": {"kind": "low_rank_sensing", "shape": [2, 2], "rank": 1, "measurements": 3},
            "optimizer": {"kind": "gradient_descent", "learning_rate": 0.01, "batch": {"size": 2}},
        },
        "without batches and noise",
    ),
    "measured rows": ({"problem": REGRESSION}, "measures each of its rows"),
    "deep": ({"model": {"kind": "deep_matrix", "depth": 100}}, "depth 100"),
    "many numbers": ({"model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 100_000}}, "400,000"),
    "many entries": (
        {
            "problem": {"kind": "all_but_corner", "dimension": 300},
            "model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 1},
        },
        "90,000",
    ),
    "much work": (
        {"problem": {"kind": "all_but_corner", "dimension": 220}, "model": {"kind": "deep_matrix", "depth": 5}},
        "120,000,000",
    ),
    "much work for a thread": (
        {
            "problem": {"kind": "all_but_corner", "dimension": 40},
            "model": {"kind": "deep_matrix", "depth": 2, "hidden_width": 24},
            "device": "cuda",
        },
        "a GPU takes at most 100,000 multiply-adds a step, and this run needs 118,720",
    ),
}


@pytest.mark.parametrize(("changes", "words"), LIMITED.values(), ids=LIMITED)
def test_a_limit_is_named(changes: dict, words: str) -> None:
    limit = fused_limit(spec(**changes))
    assert limit is not None
    assert words in limit


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_no_limit_is_named_for_what_it_runs(changes: dict) -> None:
    assert fused_limit(spec(**changes)) is None
