"""Lists: conversion of a request's parameters into a selection for the store."""

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

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class ListQuery:
    """The unparsed parameters of a list."""

    where: str | None = None
    order_by: str | None = None
    cursor: str | None = None
    experiment_id: str | None = None
    status: str | None = None

    @property
    def digest(self) -> str:
        """The digest that binds a cursor to this query."""
        return query_digest(self.where, self.order_by, self.experiment_id, self.status)

    def cursor_after(self, mark: Mark) -> str:
        """The cursor of this query's rows after a mark."""
        return to_cursor(mark, self.digest)


def select_runs(query: ListQuery, limits: Limits) -> RunSelection:
    """The selection of runs of a query; raises InvalidPayload."""
    where, order, after = _parsed(query, RUNS, limits)
    return RunSelection(query.experiment_id, query.status, where, order, after)


def select_experiments(query: ListQuery, limits: Limits) -> ExperimentSelection:
    """The selection of experiments of a query; raises InvalidPayload."""
    return ExperimentSelection(*_parsed(query, EXPERIMENTS, limits))


def named(text: str, parameter: str, find: Callable[[str, int], Parsed], limits: Limits) -> tuple[Parsed, ...]:
    """The results of `find` for each name of a comma-separated parameter; raises InvalidPayload."""
    with pointing_at(parameter, text):
        return parse_names(text, find, limits)


@contextmanager
def pointing_at(parameter: str, text: str) -> Generator[None]:
    """Raise InvalidPayload for a QueryError, with the parameter and an excerpt of its text."""
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
