"""The `where` language against a plain evaluation of the same expression over the same runs.

`holds` is the language a second time, on purpose: it evaluates in Python what the service turns into SQL, and the two
share nothing but the catalogue's paths, so that where they agree they make no common mistake.
"""

import math
import operator
import re
from datetime import datetime

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from service.queries.catalogues import RUNS
from service.queries.where import parse_where
from service.settings import Limits
from service.store.json_sql import number_in
from service.store.runs import RunSelection, list_runs
from service.use_cases.listing import ListQuery
from service.use_cases.run_objects import look_up, tagged_run
from service.use_cases.runs import list_runs as list_all
from tests.queries.stored_runs import NOW, NUMBERS, STATUSES, literal

OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMERIC = (
    "index",
    "step",
    "experiment.priority",
    "steps_per_second",
    "model.depth",
    "model.rank",
    "init.std",
    "spec.init.scale",
    "optimizer.learning_rate",
    "stop.loss_below",
    "stop.max_time",
    "problem.measurements",
    "problem.shape[1]",
    "problem.observations[0].value",
    "seed",
    "summary.loss",
    "summary.time",
    "summary.unobserved_entry",
    "summary.determinant_sign",
    "summary.determinant_sign_changed_at",
    "summary.singular_values[0]",
    'summary.first_step_below."1e-1"',
)
TAGS = ("tags.paper", 'tags."my tag"', "tags.none", "experiment.tags.paper", "tags.trial")
TEXTS = ("engine", "device", "error", "experiment_id", "experiment.name", "experiment.id", *TAGS)
WORDS = {
    "status": STATUSES,
    "outcome": ("converged", "diverged", "budget_exhausted"),
    "problem.kind": ("perturbed_2x2", "low_rank_sensing"),
    "init.kind": ("gaussian", "identity"),
    "loss": ("mse", "half_sse"),
}
TIMES = ("created_at", "started_at", "finished_at", "experiment.created_at")
ALL = (*NUMERIC, *TEXTS, *WORDS, *TIMES, "init.balanced", "summary", "model", "summary.singular_values")

numbers = st.sampled_from([value for value in NUMBERS if value is not None] + [2, 3, 4, 2**60, 10**30, -7, 2.5])
texts = st.sampled_from(
    ["fused", "torch", "é", "100%", "x*?[y]", "it's", "", "no start", "Other", "2005.06398", "Second"]
)
letters = st.sampled_from(["%", "_", "a", "s", "É", "N", "ẞ", "İ", "*", "?", "[", " ", "é", "\\%", "\\_", "\\\\", "1"])
patterns = st.lists(letters, max_size=5).map("".join)
moments = st.sampled_from([NOW.isoformat(), "2026-01-01T12:00:01Z", "2026-01-01", "2026-01-01T14:00:02+02:00"])


def comparisons(names, literals, operators=tuple(OPERATORS)):
    names = st.sampled_from(sorted(names))
    return st.tuples(st.just("compare"), names, st.sampled_from(operators), literals) | st.tuples(
        st.just("in"), names, st.booleans(), st.lists(literals, min_size=1, max_size=3)
    )


tests_of_fields = (
    comparisons(NUMERIC, numbers)
    | comparisons(TEXTS, texts)
    | comparisons(TAGS, numbers | st.sampled_from([2005.06398, 10, 9]))
    | comparisons(TAGS, numbers | st.sampled_from([2005.06398, 10]) | texts, ("=",))
    | st.sampled_from(sorted(WORDS)).flatmap(lambda name: comparisons([name], st.sampled_from(WORDS[name])))
    | comparisons(TIMES, moments)
    | comparisons(["init.balanced"], st.booleans(), ("=", "!="))
    | st.tuples(st.sampled_from(["like", "ilike"]), st.sampled_from([*TEXTS, "status"]), st.booleans(), patterns)
    | st.tuples(st.just("null"), st.sampled_from(ALL), st.booleans())
)
expressions = st.recursive(
    tests_of_fields,
    lambda inner: (
        st.tuples(st.just("not"), inner)
        | st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3))
    ),
    max_leaves=8,
)


def written(tree):
    """An expression as text; what joins is put into parentheses only where it must be."""
    match tree:
        case ("compare", name, sign, value):
            return f"{name} {sign} {literal(value)}"
        case ("in", name, negated, values):
            return f"{name} {'not ' * negated}IN ({', '.join(map(literal, values))})"
        case ("like" | "ilike" as word, name, negated, pattern):
            return f"{name} {'NOT ' * negated}{word} {literal(pattern)}"
        case ("null", name, negated):
            return f"{name} is {'not ' * negated}null"
        case ("not", part):
            return f"NOT {bracketed(part, ('and', 'or'))}"
        case ("and", parts):
            return " and ".join(bracketed(part, ("or",)) for part in parts)
        case ("or", parts):
            return " OR ".join(map(written, parts))


def bracketed(tree, kinds):
    return f"({written(tree)})" if tree[0] in kinds else written(tree)


def holds(tree, run):
    """Whether an expression is true of a run, as its JSON object has it."""
    match tree:
        case ("compare", name, sign, value):
            found, value = alike(run, name, value)
            return found is not None and OPERATORS[sign](found, value)
        case ("in", name, negated, values):
            pairs = [
                (found, value) for found, value in (alike(run, name, value) for value in values) if found is not None
            ]
            return bool(pairs) and any(a == b for a, b in pairs) != negated
        case ("like" | "ilike" as word, name, negated, pattern):
            found, _ = alike(run, name, "")
            how = re.DOTALL if word == "like" else re.DOTALL | re.IGNORECASE
            return found is not None and (re.fullmatch(regex(pattern), found, how) is not None) != negated
        case ("null", name, negated):
            found, value = look_up(run, RUNS.find(name).path)
            return (not found or value in (None, "NaN", {})) != negated
        case ("not", part):
            return not holds(part, run)
        case ("and", parts):
            return all(holds(part, run) for part in parts)
        case ("or", parts):
            return any(holds(part, run) for part in parts)


def alike(run, name, value):
    """A run's value and the literal as one type; None where there is none of the literal's kind."""
    _, found = look_up(run, RUNS.find(name).path)
    if isinstance(found, datetime):
        moment = datetime.fromisoformat(value)
        return found, moment if moment.tzinfo else moment.replace(tzinfo=NOW.tzinfo)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(found, str):
            found = number_of(found)
        return (found, value) if isinstance(found, int | float) and not math.isnan(found) else (None, value)
    return (found, value) if type(found) is type(value) else (None, value)


def number_of(text):
    try:
        return float(text) if text.strip() == text and "_" not in text and text.isascii() else None
    except ValueError:
        return None


def regex(pattern):
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    return "".join({"%": ".*", "_": "."}.get(part, re.escape(part[-1])) for part in parts)


def selected(database, text, **also):
    where = parse_where(text, RUNS, Limits())
    with database.reading() as connection:
        return [row["public_id"] for row in list_runs(connection, RunSelection(where=where, **also), 1000)]


@pytest.fixture(scope="session")
def objects(stored):
    with stored.reading() as connection:
        return [tagged_run(row) for row in list_runs(connection, RunSelection(), 1000)]


@pytest.mark.slow
@given(tree=expressions)
@settings(max_examples=150)
def test_an_expression_selects_what_it_says(stored, objects, tree):
    assert selected(stored, written(tree)) == [run["id"] for run in objects if holds(tree, run)]


@pytest.mark.parametrize("name", ALL)
def test_each_field_is_there_for_some_runs_or_none(stored, objects, name):
    missing = [run["id"] for run in objects if holds(("null", name, False), run)]
    assert selected(stored, f"{name} IS NULL") == missing


@given(tree=expressions)
@settings(max_examples=50)
def test_a_selection_and_its_not_share_out_all_runs(stored, objects, tree):
    chosen, others = selected(stored, written(tree)), selected(stored, f"NOT ({written(tree)})")
    assert sorted(chosen + others) == sorted(run["id"] for run in objects)


NUMBER_TEXTS = [
    *(
        "0",
        "-0",
        "9",
        "10",
        "+9",
        "009",
        ".5",
        "5.",
        "1e3",
        "1E-3",
        "-2.5e+2",
        "Infinity",
        "-Infinity",
        "1e308",
        "1e309",
    ),
    *("-1e999", "5e-324", "2e-324", "3e-324", "1e-999", "1" * 400, f"0.{'0' * 400}1", "1.7976931348623159e308"),
]
OTHER_TEXTS = [
    "",
    " 9",
    "9 ",
    "9 mm",
    "1e1000",
    "1e",
    "e5",
    ".",
    "+",
    "0x10",
    "1_000",
    "NaN",
    "nan",
    "inf",
    "9\n",
    "\N{ARABIC-INDIC DIGIT NINE}",
]


def test_a_tag_is_read_as_a_number_where_it_spells_one(stored):
    """Both databases read as Python does, over the whole range of floats."""
    dialect = "sqlite" if stored.one_writes_at_a_time else "postgresql"
    with stored.reading() as connection:
        for text in (*NUMBER_TEXTS, *OTHER_TEXTS):
            found = connection.scalar(sa.select(number_in(sa.literal(text, sa.Text), dialect)))
            assert found == (float(text) if text in NUMBER_TEXTS else None), text


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("tags.trial > 9", {"first", "zweites %_*?["}),
        ("tags.trial > '9'", set()),
        ("tags.trial = 10", {"first", "zweites %_*?["}),
        ("tags.trial = '10'", {"first"}),
        ("tags.trial IN (9, '1e1')", {"Second", "zweites %_*?["}),
        ("experiment.tags.trial <= 9.0", {"Second"}),
        ("tags.paper ILIKE 'oth%'", {"Second"}),
        ("experiment.tags.paper ilike 'É'", {"zweites %_*?["}),
        ("experiment.name NOT ILIKE '%S%'", {""}),
        ("experiment.priority < 0 OR experiment.name = 'first'", {"first", "Second"}),
    ],
)
def test_runs_by_their_experiment(stored, where, names):
    found = list_all(stored, ListQuery(where), "experiment.name", 1000, Limits())["items"]
    assert {run["experiment"]["name"] for run in found} == names
