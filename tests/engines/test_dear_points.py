"""Points whose metrics are dear: a slice ends near its seconds all the same, and changes no result by it."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.slices import EXACT, assert_same, points_of
from tests.helpers.specs import BASIC, FLOW, member, run_whole
from workers.lab import measuring
from workers.lab.metrics.matrix import matrix_metrics
from workers.records import Batch, Budget
from workers.runs.costs import trained_numbers
from workers.runs.spec import RunSpec
from workers.slices import run_slice

pytestmark = pytest.mark.slow

EVERY_STEP = {"stop": {"max_steps": 12}, "record": {"every": 1}}
KINDS = {
    "torch": {**BASIC, **EVERY_STEP},
    "fused": {**BASIC, **EVERY_STEP, "engine": "fused"},
    "flow": {**FLOW, "stop": {"max_time": 0.004}},
}
LONG = {"torch": {"max_steps": 10_000}, "fused": {"max_steps": 10_000}, "flow": {"max_time": 1e3}}


def specs_of(kind, runs, **changes):
    return [RunSpec.model_validate({**KINDS[kind], **changes, "seed": seed}) for seed in range(runs)]


@pytest.fixture
def dear(monkeypatch):
    """Makes every point take so many seconds to measure, and estimates know it or do not."""
    measure = measuring._metrics
    run_slice(Batch(tuple(map(member, specs_of("fused", 2)))), Budget(60))  # kernels are compiled before time counts

    def set_price(seconds, is_estimated=True):
        def slow(specs, members, *rest):
            time.sleep(seconds * len(members))
            return measure(specs, members, *rest)

        monkeypatch.setattr(measuring, "_metrics", slow)
        if is_estimated:
            monkeypatch.setattr(measuring, "seconds_per_point", lambda spec: seconds)

    return set_price


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("runs", "price", "is_estimated", "most_points"),
    [(1, 0.02, True, 15), (8, 0.02, True, 30), (6, 0.16, True, 3), (1, 0.01, False, 60), (8, 0.01, False, 80)],
)
def test_a_slice_ends_near_its_seconds_whatever_a_point_costs(dear, kind, runs, price, is_estimated, most_points):
    """An estimate that is a thousand times too low costs the first points alone."""
    dear(price, is_estimated)
    batch = Batch(tuple(map(member, specs_of(kind, runs, stop=LONG[kind]))))
    for _ in range(3):
        result = run_slice(batch, Budget(0.2))
        assert 0 < len(result.points.member) <= most_points
        batch = Batch(
            tuple(
                member(RunSpec.model_validate_json(one.spec), run.checkpoint or one.checkpoint)
                for one, run in zip(batch.members, result.progress, strict=True)
            )
        )
    assert any(one.checkpoint is not None and one.checkpoint.step for one in batch.members)


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_a_dear_batch_take_turns_and_end_as_they_would_have(dear, kind):
    specs = specs_of(kind, 3)
    whole = run_whole(*specs)
    dear(0.02)
    members, points, final = [member(spec) for spec in specs], {}, {}
    for _ in range(200):
        going = [run for run in range(len(specs)) if run not in final]
        if not going:
            break
        result = run_slice(Batch(tuple(members[run] for run in going)), Budget(0.05))
        points |= {(going[run], step): point for (run, step), point in points_of(result).items()}
        for run, progress in zip(going, result.progress, strict=True):
            members[run] = member(specs[run], progress.checkpoint or members[run].checkpoint)
            if progress.outcome is not None:
                final[run] = progress
    assert_same(points, points_of(whole), **EXACT)
    for run, progress in enumerate(whole.progress):
        assert (final[run].outcome, final[run].summary) == (progress.outcome, progress.summary)
        np.testing.assert_array_equal(final[run].checkpoint.state, progress.checkpoint.state)
        np.testing.assert_array_equal(final[run].checkpoint.milestones, progress.checkpoint.milestones)


@settings(max_examples=15)
@given(st.integers(5, 48), st.integers(2, 3), st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(0, 99))
def test_the_metrics_of_a_point_do_not_depend_on_those_measured_with_it(dimension, depth, groups, seed):
    """Matrices of an odd size begin anywhere in memory, as their position among others decides."""
    spec = RunSpec.model_validate(
        {
            **BASIC,
            "problem": {"kind": "all_but_corner", "dimension": dimension},
            "model": {"kind": "deep_matrix", "depth": depth},
            "init": {"kind": "gaussian", "std": 0.1},
            "record": {"every": 1, "metrics": ["schatten_quasi_norm", "determinant"]},
        }
    )
    points = np.random.default_rng(seed).standard_normal((sum(groups), trained_numbers(spec))) / dimension**0.5
    together = matrix_metrics([spec], np.zeros(len(points), dtype=np.int64), points)
    parts = [
        matrix_metrics([spec], np.zeros(len(part), dtype=np.int64), part)
        for part in np.split(points, np.cumsum(groups)[:-1])
    ]
    for name, column in together.items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), column, err_msg=name)
