"""Tables of numbers, and the metrics that they and the pages offer."""

import re

import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from service.store.tables import summaries
from service.web.digits import told_apart
from service.web.formats import number, setting
from tests.helpers.html import parsed
from tests.helpers.specs import BASIC
from tests.web.posts import FOUR
from workers.runs.metrics import BY_NAME

TENSOR = {
    "problem": {"kind": "low_rank_completion", "shape": [3, 3, 3], "rank": 1, "observed": 9},
    "model": {"kind": "cp_tensor", "rank": 2},
    "init": {"kind": "gaussian", "std": 0.1},
    "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-2},
    "stop": {"max_steps": 20},
}
numbers = st.floats() | st.integers(-(10**30), 10**30) | st.none() | st.sampled_from(["NaN", "Infinity", "-Infinity"])


@given(st.lists(numbers, min_size=1, max_size=30))
@example([0.19999951, 0.19999952, 0.2])
@example([1.0, 1.0000000000000002, 9999.6, 10_000])
@example([1e-300, 1.0000000000000002e-300, 5e-324, 0.0])
def test_numbers_that_are_not_equal_do_not_look_equal(values):
    values = ["NaN" if value != value else value for value in values]
    texts = told_apart(values)
    for value, text in zip(values, texts, strict=True):
        for other, other_text in zip(values, texts, strict=True):
            same = value == other or {value, other} <= {float("inf"), "Infinity"}
            assert same or {value, other} <= {float("-inf"), "-Infinity"} or text != other_text
        alike = [other for other in values if number(other) == number(value) and other != value]
        assert text == number(value) or alike


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_setting_has_the_digits_that_it_was_given_with(value):
    text = str(setting(value)).replace("\u2212", "-").replace("\u202f", "")
    power = re.fullmatch(r"(?:(.+)&times;)?10<sup>(-?\d+)</sup>", text)
    assert float(f"{power[1] or 1}e{power[2]}" if power else text) == value


def cells(page, label):
    heads = [one.text.removesuffix("↕") for one in page.all("thead")[0].all("th")]
    rows = page.all("tbody")[0].all("tr")
    return [[cell.text for cell in row.content if not isinstance(cell, str)][heads.index(label)] for row in rows]


def test_runs_groups_and_comparisons_tell_their_numbers_apart(api, finish, database):
    rates = [0.0019999951, 0.0019999952]
    first = finish({"name": "first", "run": BASIC, "sweep": [{"optimizer.learning_rate": rates}]})["id"]
    second = finish({"name": "second", "run": BASIC})["id"]
    with database.writing() as connection:
        for run_id, loss in ((1, 0.123451), (2, 0.123452), (3, 0.123453)):
            connection.execute(sa.update(summaries).where(summaries.c.run_id == run_id).values(loss=loss))
    page = parsed(api.get(f"/experiments/{first}").text)
    assert cells(page, "learning rate") == ["0.0019999951", "0.0019999952"]
    assert cells(page, "loss") == ["0.123451", "0.123452"]
    groups = parsed(api.get(f"/experiments/{first}/groups?metric=loss&group_by=optimizer.learning_rate").text)
    assert cells(groups, "median") == ["0.123451", "0.123452"]
    compared = parsed(api.get(f"/compare?experiment={first}&experiment={second}&metric=loss").text)
    spread = [list(map(float, cells(compared, label))) for label in ("least", "median", "greatest")]
    assert spread == [[0.123451, 0.123453], [0.1234515, 0.123453], [0.123452, 0.123453]]


def test_every_metric_of_the_catalogue_is_on_every_page_of_runs_that_have_it(api, finish):
    asked = BASIC | {"record": {"metrics": ["determinant", "sharpness"]}}
    finished = [finish({"run": asked}), finish(FOUR), finish({"run": TENSOR})]
    seen = set()
    for experiment in finished:
        run = api.get("/v1/runs", params={"experiment_id": experiment["id"]}).json()["items"][0]
        offered = {name for name in run["summary"] if name in BY_NAME and BY_NAME[name].is_number}
        points = {name for name in offered if BY_NAME[name].of_points}
        page = parsed(api.get(f"/runs/{run['id']}").text)
        assert options(page, "y") == points
        said = {one.text.lower() for one in page.all("div", id="last")[0].all("dt")}
        assert {name for name in run["summary"] if BY_NAME.get(name) and name.replace("_", " ") not in said} == set()
        assert options(parsed(api.get(f"/experiments/{experiment['id']}").text), "metric") == offered
        assert points <= options(parsed(api.get(f"/compare?experiment={experiment['id']}").text), "metric")
        seen |= offered
    assert {"participation_ratio", "sharpness", "nuclear_norm", "linear_rank"} <= seen


def options(page, name):
    return {one.attributes["value"] for one in page.all("select", id=name)[0].all("option")}
