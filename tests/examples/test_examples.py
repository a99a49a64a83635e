"""Every example in the documentation and in `examples/`, run against a real server with a small experiment."""

import json
import re
import socket
import sqlite3
import sys
from urllib.parse import urlsplit

import httpx2
import pytest

from service.edge.protocol import MOST_URL_BYTES
from service.settings import Settings
from service.store.database import Database
from tests.examples.running import ROOT, SMALL, said
from tests.helpers.servers import Server

DOCS = ("queries.md", "exports.md", "reproducing.md", "walkthrough.md")
FENCE = re.compile(r"^```(\w+) run\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(page):
    found = FENCE.findall((ROOT / "docs" / page).read_text())
    assert found, f"{page} has no example that is run"
    return found


@pytest.mark.parametrize("page", DOCS)
def test_a_page_s_examples(page, environment, tmp_path):
    for language, text in snippets(page):
        if language == "python":
            url = f"url = {environment['RANKWARD_URL']!r}\n"
            assert said([sys.executable, "-c", url + text], environment, tmp_path)
        else:
            assert language == "sh"
            said(["sh", "-eu", "-c", text], environment, tmp_path)


def test_the_readme(environment, tmp_path):
    """Its blocks in order, in one shell; what `make` does is done by the tests that call them."""
    url, experiment = environment["RANKWARD_URL"], environment["EXPERIMENT"]
    (tmp_path / "spec.yaml").write_text(json.dumps(SMALL))
    text = (ROOT / "README.md").read_text().replace("http://127.0.0.1:8000", url)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    shell = [block for language, block in blocks if language == "sh" and not block.startswith("make")]
    assert len(shell) == 3
    answers = said(
        ["sh", "-eu", "-c", "".join(shell).replace(" ID ", f" {experiment} ").replace(" RUN ", " $RUN ")],
        environment,
        tmp_path,
    )
    assert '"status":4' not in answers.replace(" ", "")
    assert {"figure_1.svg", "points.parquet", "norms.svg"} <= {path.name for path in tmp_path.iterdir()}
    (python,) = (block for language, block in blocks if language == "python")
    assert "loss" in said(
        [sys.executable, "-c", python.replace("Rankward()", f"Rankward({url!r})")], environment, tmp_path
    )


def test_the_mistake_shown_is_the_one_that_is_answered(environment, tmp_path):
    page = (ROOT / "docs" / "queries.md").read_text()
    shown = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    command = next(text for _, text in snippets("queries.md") if "model.dept " in text)
    assert json.loads(said(["sh", "-c", command], environment, tmp_path))["errors"] == [shown]


def test_the_sql_examples(server: Server, experiment):
    database = sqlite3.connect(f"file:{server.data_dir / 'rankward.db'}?mode=ro", uri=True)
    for language, text in snippets("sql.md"):
        assert language == "sql"
        assert database.execute(text).fetchall(), text
    database.close()


def test_the_documented_columns_of_the_views(server: Server, experiment):
    """Those that docs/sql.md names are there, and those of a view are named or are metrics."""
    page = (ROOT / "docs" / "sql.md").read_text()
    named = set(re.findall(r"\w+", page))
    database = Database(Settings(data_dir=server.data_dir).url)
    with database.reading() as connection:
        for view in ("experiment_summary", "run_summary", "trajectory"):
            columns = list(connection.exec_driver_sql(f"SELECT * FROM {view} LIMIT 1").keys())
            spec = columns[columns.index("problem_kind") : columns.index("seed") + 1] if view == "run_summary" else []
            assert set(spec) <= named
            assert {"experiment_id"} <= set(columns)
    database.close()


def test_an_expression_of_a_megabyte_is_refused_in_words(server: Server):
    """A real server reads a path so long, and says how long it may be."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        path = b"/v1/runs?where=" + b"(" * 2**20
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 414")
    assert f"take {len(path):,} bytes, and {MOST_URL_BYTES:,} are read".encode() in answer
    assert b"POST /v1/runs/query" in answer


@pytest.mark.parametrize(("characters", "is_too_long"), [(100_000, False), (100_001, True)])
def test_the_longest_expression_goes_into_a_body(server: Server, characters: int, is_too_long: bool):
    """A longer one is refused by its own limit, with its name."""
    answer = httpx2.post(f"{server.url}/v1/runs/query", json={"where": "(" * characters})
    assert answer.status_code == 422
    assert ("RANKWARD_MAX_WHERE_CHARACTERS" in answer.text) == is_too_long


def test_a_thousand_ids_fit_a_url(server: Server):
    ids = ", ".join(f"'{number:036x}'" for number in range(1000))
    assert httpx2.get(f"{server.url}/v1/runs", params={"where": f"id IN ({ids})"}).json()["items"] == []
