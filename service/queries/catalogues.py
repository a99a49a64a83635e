"""Catalogues: the fields of runs and experiments, looked up by dotted names."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from pydantic import BaseModel

from service.queries.errors import QueryError
from service.queries.fields import NUMERIC, Field, Kind, Node, Open, Path, Values, any_object, leaf
from service.queries.spec_nodes import SpecNode
from service.schemas.experiments import Experiment
from service.schemas.runs import ComputedWith, Run
from service.values.statuses import RUN_STATUSES
from workers.records import Outcome
from workers.runs.metrics import METRICS, SUMMARY_METRICS
from workers.runs.spec import RunSpec

_SEGMENT = re.compile(
    r'\.?(?:(?P<name>[A-Za-z_]\w*)|"(?P<quoted>[^"]*)")|\[(?P<index>\d{1,6})\]|\.(?P<item>\d{1,6})(?=[.\[]|$)'
)
_UNSAFE = re.compile(r'["\\\x00-\x1f]')
_VECTOR = Open(Values(frozenset({Kind.LIST})), leaf(Kind.NUMBER), int)
_COLUMNS: Mapping[str, Node] = {
    "float": leaf(Kind.NUMBER),
    "integer": leaf(Kind.INTEGER),
    "vector": _VECTOR,
    "text": leaf(Kind.TEXT),
}
_OBJECT = Values(frozenset({Kind.OBJECT}))
_TAGS = Open(_OBJECT, Node(Values(frozenset({Kind.TEXT}), spells_numbers=True)), str)

SUMMARY_FIELDS = {
    "steps": leaf(Kind.INTEGER),
    "time": leaf(Kind.NUMBER),
    "determinant_sign_changed_at": leaf(Kind.INTEGER),
    "drift_exceeded_at": leaf(Kind.INTEGER),
    "first_step_below": Open(_OBJECT, leaf(Kind.INTEGER), str),
}
"""Fields of a summary beside its metrics."""

_METRICS = {name: _COLUMNS[kind] for name, kind in {**METRICS, **SUMMARY_METRICS}.items()}
_OF_EXPERIMENT = {
    "id": leaf(Kind.TEXT),
    "name": leaf(Kind.TEXT),
    "created_at": leaf(Kind.TIME),
    "priority": leaf(Kind.INTEGER),
    "tags": _TAGS,
}
"""Fields of an experiment that do not follow from its runs, and can be asked for with each of them."""

_RUN = {
    "id": leaf(Kind.TEXT),
    "experiment_id": leaf(Kind.TEXT),
    "index": leaf(Kind.INTEGER),
    "status": leaf(Kind.TEXT, words=RUN_STATUSES),
    "outcome": leaf(Kind.TEXT, words=[outcome.value for outcome in Outcome]),
    "step": leaf(Kind.INTEGER),
    "engine": leaf(Kind.TEXT),
    "device": leaf(Kind.TEXT),
    "computed_with": any_object({name: leaf(Kind.TEXT) for name in ComputedWith.model_fields}),
    "steps_per_second": leaf(Kind.NUMBER),
    "created_at": leaf(Kind.TIME),
    "started_at": leaf(Kind.TIME),
    "finished_at": leaf(Kind.TIME),
    "error": leaf(Kind.TEXT),
    "summary": any_object({**SUMMARY_FIELDS, **_METRICS}),
    "tags": _TAGS,
    "experiment": any_object(_OF_EXPERIMENT),
    "spec": SpecNode([RunSpec]),
}
_EXPERIMENT = {
    **_OF_EXPERIMENT,
    "status": leaf(Kind.TEXT, words=RUN_STATUSES),
    "runs": any_object({name: leaf(Kind.INTEGER) for name in ("total", *RUN_STATUSES)}),
}


class Catalogue:
    """The fields of one resource.

    Args:
        resource: its name in messages, with an article.
        top: the node of its object.
        inside: a key that may be omitted at the start of a name, unless the object has a key with the next part's name.
    """

    def __init__(self, resource: str, top: Node, inside: str | None = None) -> None:
        self.resource = resource
        self._top = top
        self._inside = inside

    def find(self, name: str, position: int = 0) -> Field:
        """The field of a name like `model.depth`, `summary.singular_values[0]` or `tags."my tag"`.

        Args:
            position: of the name in the text of the query.

        Raises:
            QueryError: no such field; the position is that of the first wrong part.
        """
        node, path = self._top, ()
        for at, step in _steps(name, position):
            if not path and self._inside and node.below(step) is None and self._hidden().below(step):
                node, path = self._hidden(), (self._inside,)
            child = node.below(step)
            if child is None:
                raise QueryError(at, self._unknown(node, path, step))
            node, path = child, (*path, step)
        return Field(name, path, node.values)

    def names(self, *path: str) -> Sequence[str]:
        """Names of the fields at the top or below a path; empty if they are not fixed."""
        node: Node | None = self._top
        for step in path:
            node = node and node.below(step)
        return () if node is None else node.names()

    def nodes(self) -> Iterator[tuple[Path, Node]]:
        """Paths and nodes of all fixed names, parents before children."""
        return _nodes_below(self._top, ())

    def _hidden(self) -> Node:
        node = self._top.below(self._inside or "")
        assert node is not None
        return node

    def _unknown(self, node: Node, path: Path, step: str | int) -> str:
        hidden = self._hidden().names() if self._inside and not path else ()
        names = list(dict.fromkeys((*node.names(), *hidden)))
        inside = f" in {spell_path(path)}" if path else f" of {self.resource}"
        if isinstance(step, int) or not names:
            return f"There is nothing under [{step}]{inside}." if isinstance(step, int) else self._end(path)
        near = difflib.get_close_matches(step, names, n=1)
        meant = f"did you mean {near[0]!r}?" if near else f"take one of {', '.join(names)}."
        return f"There is no field {step!r}{inside}; {meant}"

    def _end(self, path: Path) -> str:
        return f"There is nothing below {spell_path(path)}; the name ends there."


def _nodes_below(top: Node, path: Path) -> Iterator[tuple[Path, Node]]:
    for name in top.names():
        node = top.below(name)
        assert node is not None
        yield (*path, name), node
        yield from _nodes_below(node, (*path, name))


def check_answer(catalogue: Catalogue, answer: type[BaseModel], beside: Collection[str] = ()) -> None:
    """Raise ImportError unless the answer of a resource has exactly the fields of its catalogue, with equal kinds.

    Args:
        beside: fields that are in the answer only on request.
    """
    shown = Catalogue(answer.__name__, SpecNode([answer]))
    for name in {*catalogue.names()} ^ {*shown.names(), *beside}:
        raise ImportError(f"{name} is a field of {catalogue.resource} or of its answer {answer.__name__}, not of both.")
    fields = dict(catalogue.nodes())
    for path, node in shown.nodes():
        if path not in fields or fields[path].values != node.values:
            raise ImportError(f"{spell_path(path)} is another one in {answer.__name__} than among the fields.")


RUNS = Catalogue("a run", any_object(_RUN), inside="spec")
EXPERIMENTS = Catalogue("an experiment", any_object(_EXPERIMENT))
check_answer(RUNS, Run, beside=["tags", "experiment"])
check_answer(EXPERIMENTS, Experiment)


def summary_metric(name: str, position: int = 0) -> Field:
    """The field of a metric of the summary; the prefix `summary.` is optional.

    Raises:
        QueryError: no such metric, or one that is not a number.
    """
    field = RUNS.find(name if name.startswith("summary.") else f"summary.{name}", position)
    if not field.values.kinds <= NUMERIC:
        raise QueryError(
            position, f"{name} is {field.values.said}; take a metric that is a number, or one entry of it."
        )
    return Field(name, field.path, field.values)


def spell_path(path: Path) -> str:
    """A path in the spelling of queries."""
    spelled = ""
    for step in path:
        if isinstance(step, int):
            spelled += f"[{step}]"
        else:
            plain = re.fullmatch(r"[A-Za-z_]\w*", step)
            spelled += ("." if spelled else "") + (step if plain else f'"{step}"')
    return spelled


def _steps(name: str, position: int) -> Iterator[tuple[int, str | int]]:
    at = 0
    while at < len(name):
        segment = _SEGMENT.match(name, at)
        if segment is None or (at == 0) == (name[at] in ".["):
            raise QueryError(position + at, 'Write a field like model.depth, tags."my tag" or singular_values[0].')
        word, quoted, index, item = segment.group("name", "quoted", "index", "item")
        index = index or item  # the path of a sweep has an item of a list as phases.0, and a query as phases[0], too
        start = position + at + (name[at] == ".")
        if quoted is not None and _UNSAFE.search(quoted):
            raise QueryError(
                start, "A name with a quotation mark, a backslash or a control character cannot be asked for."
            )
        yield start, int(index) if index is not None else (word or quoted or "")
        at = segment.end()
    if not name:
        raise QueryError(position, "Give the name of a field.")
