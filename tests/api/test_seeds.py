"""Seeds of any size: taken in every spelling, kept digit by digit where they are stored, shown or asked for."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC, spec
from workers.runs.base import LARGEST_INTEGER
from workers.runs.initializers import starting_factors
from workers.runs.seeds import MOST_SEED_DIGITS, spelled_seed
from workers.runs.spec import RunSpec

LONG = 123456789012345678901234567890123456789
SEEDS = [
    0,
    7,
    2**53 - 1,
    2**53,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 + 1,
    10**20,
    LONG,
    LONG + 1,
    10**MOST_SEED_DIGITS - 1,
]
PROBLEM = {"kind": "low_rank_completion", "shape": [2, 2], "rank": 1, "observed": 3}


def swept(path, problem=PROBLEM):
    return {"run": BASIC | {"problem": problem, "stop": {"max_steps": 1}}, "sweep": [{path: SEEDS}]}


def ask(api, path, **parameters):
    answer = api.get(path, params=parameters)
    assert answer.status_code == 200, (parameters, answer.text)
    return answer


def seeds_of(items, path):
    return [int(run["spec"]["seed"] if path == "seed" else run["spec"]["problem"]["seed"]) for run in items]


@BOTH_DATABASES
@pytest.mark.parametrize("path", ["seed", "problem.seed"])
def test_seeds_are_kept_sorted_and_found(api, finish, path):
    experiment = finish(swept(path))
    assert experiment["runs"]["succeeded"] == len(SEEDS)
    assert [int(seed) for seed in experiment["sweep"][0][path]] == SEEDS
    runs = ask(api, "/v1/runs", order_by=f"-{path}", limit=5).json()
    beyond = ask(api, "/v1/runs", order_by=f"-{path}", limit=20, cursor=runs["next"]).json()
    assert seeds_of([*runs["items"], *beyond["items"]], path) == SEEDS[::-1]
    for number, seed in enumerate(SEEDS):
        for literal in (str(seed), f"'{seed}'"):
            assert seeds_of(ask(api, "/v1/runs", where=f"{path} = {literal}").json()["items"], path) == [seed]
        for sign, kept in (("<", SEEDS[:number]), (">=", SEEDS[number:])):
            selected = ask(api, "/v1/runs", where=f"{path} {sign} {seed}", order_by=path).json()["items"]
            assert seeds_of(selected, path) == kept
    for where, count in ((f"{path} < Infinity", len(SEEDS)), (f"{path} > 1e30", 3), (f"NOT {path} = 0.5", len(SEEDS))):
        assert len(ask(api, "/v1/runs", where=where).json()["items"]) == count
    both = ask(api, "/v1/runs", where=f"{path} IN ({SEEDS[0]}, {LONG})", order_by=path).json()["items"]
    assert seeds_of(both, path) == [SEEDS[0], LONG]


@BOTH_DATABASES
def test_every_spelling_and_every_copy_is_the_same_number(api, database, finish):
    finish(swept("seed"))
    shown = ask(api, "/v1/runs", order_by="seed", limit=20).json()["items"]
    assert [run["spec"]["seed"] for run in shown] == [spelled_seed(seed) for seed in SEEDS]
    assert all(isinstance(run["spec"]["seed"], str) == (int(run["spec"]["seed"]) > LARGEST_INTEGER) for run in shown)
    longest = shown[SEEDS.index(LONG)]
    assert ask(api, f"/v1/runs/{longest['id']}").json()["spec"]["seed"] == str(LONG)
    again = api.post("/v1/experiments", json={"run": longest["spec"]})
    assert again.status_code == 202, again.text
    with database.reading() as connection:
        column = connection.execute(sa.text("SELECT seed FROM run_summary ORDER BY run_index, run_id")).scalars().all()
    assert sorted(int(value) for value in column) == sorted([*SEEDS, LONG])


def test_exports_keep_every_digit(api, finish):
    finish(swept("seed"))
    query = {"fields": "seed", "order_by": "seed"}
    lines = ask(api, "/v1/runs", **query, format="csv").text.split()
    assert [int(line) for line in lines[1:]] == SEEDS
    objects = map(json.loads, ask(api, "/v1/runs", **query, format="ndjson").text.splitlines())
    assert [int(run["spec"]["seed"]) for run in objects] == SEEDS
    for read in (
        lambda content: pq.read_table(io.BytesIO(content)),
        lambda content: pa.ipc.open_stream(content).read_all(),
    ):
        table = read(
            ask(api, "/v1/runs", **query, format="parquet" if "pq" in read.__code__.co_names else "arrow").content
        )
        assert [int(value) for value in table["seed"].to_pylist()] == SEEDS
    small = ask(api, "/v1/runs", **query, where=f"seed < {2**63}", format="arrow").content
    column = pa.ipc.open_stream(small).read_all()["seed"]
    assert column.type == pa.int64()
    assert column.to_pylist() == [seed for seed in SEEDS if seed < 2**63]


def test_groups_are_in_the_order_of_numbers(api, finish):
    experiment = finish(swept("seed"))
    answer = ask(api, f"/v1/experiments/{experiment['id']}/summary", metric="loss", group_by="seed").json()
    assert [int(group["group"]["seed"]) for group in answer["items"]] == SEEDS


@given(st.integers(0, 2**200), st.booleans(), st.booleans())
def test_the_stream_is_that_of_the_number(seed, as_text, of_problem):
    given_seed = str(seed) if as_text else seed
    run = spec(problem=PROBLEM | ({"seed": given_seed} if of_problem else {}), seed=0 if of_problem else given_seed)
    back = RunSpec.model_validate_json(json.dumps(run.resolved()))
    assert back == run
    assert (run.problem.seed if of_problem else run.seed) == seed
    if not of_problem:
        expected = 0.5 * np.random.default_rng(seed).standard_normal((2, 2))
        first = starting_factors(spec(init={"kind": "gaussian", "std": 0.5}, seed=given_seed))[0]
        np.testing.assert_array_equal(first, expected)


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [
        (1e23, "Write all digits"),
        (-1, "greater than or equal to 0"),
        (0.5, "integer"),
        ("1e3", "integer"),
        (10**MOST_SEED_DIGITS, "at most 1,000 digits"),
        ("9" * 5000, "at most 1,000 digits"),
        (True, "integer"),
    ],
)
@pytest.mark.parametrize("part", ["run", "problem"])
def test_what_is_no_seed_is_refused(api, seed, sentence, part):
    run = BASIC | {"problem": PROBLEM | ({"seed": seed} if part == "problem" else {})}
    run |= {"seed": seed} if part == "run" else {}
    answer = api.post("/v1/experiments", json={"run": run})
    assert answer.status_code == 422
    (mistake,) = answer.json()["errors"]
    assert mistake["pointer"] == ("/run/seed" if part == "run" else "/run/problem/seed")
    assert sentence in mistake["detail"]
    with pytest.raises(ValidationError):
        RunSpec.model_validate(run)


def test_the_form_takes_a_long_seed(api):
    text = json.dumps({"run": BASIC | {"seed": LONG}})
    answer = api.post(
        "/new", data={"spec": text, "act": "submit"}, headers={"Origin": "http://localhost"}, follow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    assert ask(api, "/v1/runs", where=f"seed = {LONG}").json()["items"]
