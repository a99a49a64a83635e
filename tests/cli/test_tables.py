"""Tables on screens of any width, and numbers that are told apart."""

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from service.cli.show import print_experiments, print_groups, print_objects, print_runs
from service.cli.tables import Column, fitted, print_table, short_ids
from service.client.progress import experiment_bar
from service.values.digits import told_apart
from service.values.ids import new_id
from service.values.visible import visible
from tests.helpers.texts import texts

NAMES = [
    "[bold]loud[/bold] [/nope] :smile:",
    "日本語の名前と絵文字 🎉",
    "two\nlines\tand \x1b[31mred\x1b[0m",
    "right \u202e to left \u2066 and \u200f",
    "x" * 10_000,
    "US$ 5% of $x",
    "half \ud800 a pair",
    "",
]
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@given(
    st.lists(st.floats(allow_nan=False) | st.integers() | st.none(), min_size=1),
    st.sampled_from([".6g", ".2e", ".5f", ".4g"]),
)
@example([0.19999951, 0.19999952, 0.2], ".6g")
@example([1e-300, 2e-300, 0.0, -0.0], ".5f")
def test_numbers_that_are_not_equal_do_not_look_equal(values, form):
    texts = told_apart(values, form)
    for value, text in zip(values, texts, strict=True):
        for other, other_text in zip(values, texts, strict=True):
            if type(value) is type(other) and value != other:
                assert text != other_text


def test_no_more_digits_than_it_takes():
    assert told_apart([0.19999951, 0.19999952, 0.5, 0.01]) == ["0.19999951", "0.19999952", "0.5", "0.01"]
    assert told_apart([9.9999e-5, 1e-4], ".2e") == ["9.9999e-05", "1.0000e-04"]
    assert told_apart([12345, None, "NaN", True], "d") == ["12,345", "-", "NaN", "yes"]


@given(st.text())
def test_what_a_terminal_would_obey_is_shown(text):
    shown = visible(text)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in shown)
    assert not CONTROL.search(shown)
    shown.encode()


def test_escapes_say_what_they_stand_for():
    assert visible("a\nb\t\x1b[0m\u202e\ud800") == r"a\nb\t\x1b[0m\u202e\ud800"
    assert visible("é 日本 👩‍💻 שלום") == "é 日本 👩‍💻 שלום"


COLUMNS = st.builds(
    Column,
    st.text(min_size=1, max_size=12),
    st.lists(st.text(max_size=40), min_size=2, max_size=2),
    st.integers(1, 9),
    st.none() | st.integers(3, 12),
)


@given(st.lists(COLUMNS, max_size=8), st.integers(20, 200))
def test_chosen_columns_fit_and_the_first_is_never_cut(columns, width):
    ids = Column("id", ["12345678", "abcdefgh"])
    chosen = fitted([ids, *columns], width)
    assert chosen[0] == ids
    assert sum(column.width for column in chosen) + 2 * (len(chosen) - 1) <= width
    if sum(column.width for column in (ids, *columns)) + 2 * len(columns) <= width:
        assert chosen == [ids, *columns]


def test_short_ids_are_the_shortest_ends_that_differ():
    ids = [new_id() for _ in range(500)]
    shown = short_ids(ids)
    assert len(set(shown.values())) == 500
    assert all(public_id.endswith(short) and 8 <= len(short) <= 12 for public_id, short in shown.items())
    alike = ["00000000-0000-7000-8000-000012345678", "00000000-0000-7000-8000-100012345678"]
    assert [short_ids(alike)[public_id] for public_id in alike] == ["000012345678", "100012345678"]
    alike = ["00000000-0000-7000-8000-000012345678", "00000000-0000-7000-8001-000012345678"]
    assert [short_ids(alike)[public_id] for public_id in alike] == ["0-000012345678", "1-000012345678"]
    assert short_ids([]) == {}


def experiment(name):
    counts = {"total": 12, "queued": 0, "running": 0, "succeeded": 11, "failed": 1, "cancelled": 0}
    tags = {"[red]k[/]\u202e": name[:50]}
    return {
        "id": new_id(),
        "name": name,
        "tags": tags,
        "priority": 0,
        "status": "failed",
        "runs": counts,
        "created_at": "2026-01-31T10:00:00.000000Z",
    }


def run(experiment_id, rate, std, loss):
    spec = {
        "problem": {"kind": "perturbed_2x2"},
        "model": {"kind": "deep_matrix", "depth": 2},
        "init": {"kind": "gaussian", "std": std, "std_of": "factor", "balanced": False, "determinant": "any"},
        "optimizer": {"kind": "gradient_descent", "learning_rate": rate},
        "seed": 0,
    }
    summary = {"loss": loss, "unobserved_entry": -1.5, "effective_rank": 1.25}
    return {
        "id": new_id(),
        "experiment_id": experiment_id,
        "index": 0,
        "status": "succeeded",
        "outcome": "budget_exhausted",
        "step": 300,
        "spec": spec,
        "summary": summary,
        "error": None,
    }


@pytest.fixture
def seen(monkeypatch, capsys):
    """What a print shows at a width; None stands for a pipe."""

    def at(width, show, *arguments):
        monkeypatch.delenv("COLUMNS", raising=False)
        if width is not None:
            monkeypatch.setenv("COLUMNS", str(width))
        show(*arguments)
        return re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)

    return at


@pytest.mark.parametrize("width", [40, 80, 160, 400])
def test_experiments_with_any_name_keep_a_line_and_an_id_each(seen, width):
    items = [experiment(name) for name in NAMES]
    said = seen(width, print_experiments, items)
    assert max(map(cell_len, said.splitlines())) <= width
    assert not CONTROL.search(said)
    rows = said.splitlines()[2 : 2 + len(items)]
    assert [row.split()[0] for row in rows] == [item["id"][-8:] for item in items]
    assert all("failed" in row for row in rows)
    if width >= 80:
        assert "[bold]loud[/bold]" in rows[0]
        assert "日本語" in rows[1]
        assert r"two\nlines" in rows[2]
        assert "…" in rows[4]


def cells_of(text):
    """Cells that a text takes on a screen, by Unicode's own table (UAX 11)."""
    wide = {"W": 2, "F": 2}
    marks = ("Mn", "Me", "Cf")
    return sum(
        0 if unicodedata.category(letter) in marks else wide.get(unicodedata.east_asian_width(letter), 1)
        for letter in text
    )


def test_columns_after_wide_letters_stand_under_each_other(seen):
    names = ["plain", "日本語の名前", "한국어 🎉🎉", "e\u0301\u0301", "\uff46\uff55\uff4c\uff4c", "שלום", "中" * 100]
    said = seen(100, print_experiments, [experiment(name) | {"tags": {}} for name in names])
    rows = said.splitlines()[2 : 2 + len(names)]
    assert len({cells_of(row[: row.index(" failed ")]) for row in rows}) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts(400), width=st.sampled_from([40, 80, 160, None]))
def test_any_text_keeps_its_line_and_its_columns(seen, text, width):
    named = experiment(text) | {"tags": {f"k{text}": text}}
    failed = run("e" * 36, 0.1, 0.5, 0.1) | {"error": text, "status": "failed", "outcome": None}
    plain = {"id": new_id(), "text": text, "list": [text]}
    for show, item in ((print_experiments, named), (print_runs, failed), (print_objects, plain)):
        said = seen(width, show, [item])
        assert not CONTROL.search(said)
        assert len(said.splitlines()) - len(seen(width, show, [item, item]).splitlines()) == -1
        assert width is None or max(map(cell_len, said.splitlines())) <= width
        assert width is not None or visible(text) in said


def test_a_bar_s_name_takes_no_more_cells_than_there_are_for_it(capsys):
    with experiment_bar("日本語" * 60 + "\u202e\n", 4) as bar:
        bar.show(experiment(""))
    (line,) = capsys.readouterr().err.splitlines()
    assert cells_of(line.split("…")[0]) <= 40
    assert "4" in line


def test_groups_that_differ_do_not_look_equal(seen):
    rows = [run("e" * 36, rate, 0.5, loss) for rate, loss in ((0.1, 0.12345), (0.2, 0.12346))]
    for row, steps in zip(rows, (3001, 3000), strict=True):
        row["summary"] |= {"steps": steps, "unobserved_entry": -1.00001 - steps * 1e-9}
    said = seen(160, print_groups, rows)
    first, second = (line.split() for line in said.splitlines()[2:4])
    assert first[-6:] == ["1", "3,001", "1.2345e-01", "1.000013001", "1.000013001", "1.000013001"]
    assert second[-6:] == ["1", "3,000", "1.2346e-01", "1.000013", "1.000013", "1.000013"]


def test_all_is_there_through_a_pipe(seen):
    items = [experiment(name) for name in NAMES]
    said = seen(None, print_experiments, items)
    assert not CONTROL.search(said)
    header, _, *rows = said.splitlines()
    assert [row.split()[0] for row in rows] == [item["id"] for item in items]
    assert "x" * 10_000 in rows[4]
    assert {"name", "status", "priority", "runs.cancelled", "created_at"} <= set(header.split())


@pytest.mark.parametrize("width", [80, 160, None])
def test_runs_of_a_sweep_are_told_apart(seen, width):
    rows = [run("e" * 36, rate, std, 0.1) for rate in (0.19999951, 0.19999952) for std in (0.5, 0.50000001)]
    said = seen(width, print_runs, rows)
    assert all(part in said for part in ("0.19999951", "0.19999952", "0.50000001", "budget_exhausted", "1.00e-01"))
    shown = [row["id"] if width is None else row["id"][-8:] for row in rows]
    assert [line.split()[0] for line in said.splitlines()[2:6]] == shown
    assert width is None or max(map(cell_len, said.splitlines())) <= width


def test_objects_without_a_screen_and_none_at_all(seen):
    said = seen(80, print_objects, [{"id": new_id(), "spec": {"a": [1, 2], "b": "[b]x[/b]"}}, {"other": 1.5}])
    assert "[1,2]" in said
    assert "[b]x[/b]" in said
    assert seen(80, print_runs, []) == seen(None, print_experiments, []) == "There are none.\n"


def test_a_wider_terminal_has_more(seen):
    columns = [Column("id", ["12345678"]), Column("much", ["x" * 40], 1)]
    assert "1 more column" in seen(30, print_table, columns)
    assert "more" not in seen(60, print_table, columns)
