"""Lists: from the parameters of a request to the selection that the store reads."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from service.errors import FieldError, InvalidPayload
from service.queries.catalogues import EXPERIMENTS, RUNS, Catalogue
from service.queries.errors import QueryError, excerpt
from service.queries.expressions import Expression
from service.queries.lists import Key, parse_names, parse_order
from service.queries.where import parse_where
from service.settings import Limits
from service.store.experiments import ExperimentSelection
from service.store.keyset import Mark
from service.store.runs import RunSelection
from service.use_cases.paging import from_cursor, query_digest, to_cursor

Found = TypeVar("Found")


@dataclass(frozen=True)
class ListQuery:
    """What a request asks of a list, as it came."""

    where: str | None = None
    order_by: str | None = None
    cursor: str | None = None
    experiment_id: str | None = None
    status: str | None = None

    @property
    def digest(self) -> str:
        """What a cursor is bound to."""
        return query_digest(self.where, self.order_by, self.experiment_id, self.status)

    def cursor_after(self, mark: Mark) -> str:
        """The cursor of this query's rows after a mark."""
        return to_cursor(mark, self.digest)


def select_runs(query: ListQuery, limits: Limits) -> RunSelection:
    """The runs that a query asks for; raises InvalidPayload."""
    where, order, after = _parsed(query, RUNS, limits)
    return RunSelection(query.experiment_id, query.status, where, order, after)


def select_experiments(query: ListQuery, limits: Limits) -> ExperimentSelection:
    """The experiments that a query asks for; raises InvalidPayload."""
    return ExperimentSelection(*_parsed(query, EXPERIMENTS, limits))


def named(text: str, parameter: str, find: Callable[[str, int], Found], limits: Limits) -> tuple[Found, ...]:
    """What `find` makes of each name of a comma-separated parameter; raises InvalidPayload."""
    with pointing_at(parameter, text):
        return parse_names(text, find, limits)


@contextmanager
def pointing_at(parameter: str, text: str) -> Generator[None]:
    """Say of a mistake in a query in which parameter it is, and show its place."""
    try:
        yield
    except QueryError as error:
        shown = excerpt(text, error.position)
        raise InvalidPayload([FieldError(f"/{parameter}", error.detail, error.position, shown)]) from None


def _parsed(
    query: ListQuery, catalogue: Catalogue, limits: Limits
) -> tuple[Expression | None, tuple[Key, ...], Mark | None]:
    where, order = None, ()
    if query.where is not None:
        with pointing_at("where", query.where):
            where = parse_where(query.where, catalogue, limits)
    if query.order_by is not None:
        with pointing_at("order_by", query.order_by):
            order = parse_order(query.order_by, catalogue, limits)
    return where, order, from_cursor(query.cursor, query.digest, order)
