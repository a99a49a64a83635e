"""The tests of a combination side by side, which share runs; stored runs that have every field between them."""

import random

import pytest

from service.queries.catalogues import RUNS
from service.store.database import Database
from service.use_cases.experiments import list_experiments
from service.use_cases.listing import ListQuery
from service.use_cases.runs import list_runs
from tests.kinds.combining import Combination
from tests.kinds.stored_fields import LIMITS, SPECS
from tests.queries.stored_runs import store
from workers.runs.spec import RunSpec


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The tests of a combination in a row: they share a run, which each of several processes would repeat.
    order: dict[Combination, int] = {}
    ranks = [order.setdefault(of, len(order)) if (of := _combination(item)) else -1 for item in items]
    positions = [number for number, rank in enumerate(ranks) if rank >= 0]
    chosen = sorted(positions, key=lambda number: ranks[number])
    for position, item in zip(positions, [items[number] for number in chosen], strict=True):
        items[position] = item


def _combination(item: pytest.Item) -> Combination | None:
    callspec = getattr(item, "callspec", None)
    parameters = () if callspec is None else callspec.params.values()
    return next((value for value in parameters if isinstance(value, Combination)), None)


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def filled(request, templates, tmp_path_factory):
    path = tmp_path_factory.mktemp("fields") / "runs.db"
    with templates.sqlite(path) if request.param == "sqlite" else templates.postgresql() as url:
        database = Database(url)
        chance = random.Random(0)
        for number in range(3):
            store(database, chance, number, [RunSpec.model_validate(spec) for spec in SPECS])
        yield database
        database.close()


@pytest.fixture(scope="package")
def runs(filled):
    """Each run's object with its tags, in the order of submission."""
    names = ",".join(RUNS.names())
    return list_runs(filled, ListQuery(), names, 1000, LIMITS)["items"]


@pytest.fixture(scope="package")
def experiments(filled):
    """Each experiment's object, newest first."""
    return [item.model_dump() for item in list_experiments(filled, ListQuery(), 1000, LIMITS).items]
