"""Groups that are read as columns are those that the runs' objects make."""

from collections import defaultdict

import orjson
import pytest

from service.queries.catalogues import RUNS, summary_metric
from service.settings import Limits
from service.store.runs import RunSelection, all_runs
from service.use_cases.groups import grouped
from service.use_cases.run_objects import look_up, tagged_run

LIMITS = Limits()
FIELDS = (
    *("status", "outcome", "created_at", "finished_at", "index", "steps_per_second", "device", "error"),
    *("model.kind", "model.depth", "model.rank", "init.std", "init.balanced", "init.scale", "seed", "loss"),
    *("optimizer.learning_rate", "optimizer.kind", "stop.loss_below", "problem.measurements", "problem.seed"),
    *("tags.paper", 'tags."my tag"', "experiment.name", "experiment.priority", 'summary.first_step_below."1e0"'),
    *("computed_with.torch", "init.std[0]", "record.points_per_decade", "engine", "spec.engine", "precision"),
)


def keyed(values):
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)


@pytest.mark.parametrize("names", [*((name,) for name in FIELDS), ("model.depth", "seed"), ("tags.paper", "init.std")])
def test_groups_are_those_of_the_objects(stored, names):
    fields = [RUNS.find(name) for name in names]
    metric = summary_metric("loss")
    expected, losses = defaultdict(list), {}
    for row in (row for rows in all_runs(stored, RunSelection(), LIMITS.max_page_bytes) for row in rows):
        run = tagged_run(row)
        expected[keyed({field.name: look_up(run, field.path)[1] for field in fields})].append(row.id)
        losses[row.id] = look_up(run, metric.path)[1]
    groups = grouped(stored, RunSelection(), fields, [metric])
    assert {keyed(dict(group.values)): group.ids.tolist() for group in groups} == expected
    for group in groups:
        for run_id, loss in zip(group.ids.tolist(), group.metrics[0].tolist(), strict=True):
            of_object = float("nan") if losses[run_id] is None else float(losses[run_id])
            assert loss == of_object or (loss != loss and of_object != of_object)
