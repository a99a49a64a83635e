"""What operators rely on: readiness, metrics, logs, settings from files, the table of settings."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from service.app import create_app
from service.cli.settings import settings_table
from service.dispatch import metrics
from service.settings import Settings
from service.store.dispatchers import AtWork
from service.use_cases import exposition, readiness
from tests.helpers.specs import BASIC

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"


def families(text):
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_the_table_of_settings_is_the_settings():
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `RANKWARD_")]
    assert rows == [line for line in settings_table() if line.startswith("| `")]


def test_every_metric_in_the_document_exists(api, finish):
    finish({"run": BASIC})
    text = api.get("/metrics").text + exposition.generate_latest(metrics.REGISTRY).decode()
    named = {"rankward_runs", "rankward_queue_depth", "rankward_queue_oldest_seconds", "rankward_http_request_seconds"}
    named |= {"rankward_database_statement_seconds", "rankward_dispatcher_steps", "rankward_dispatcher_slices"}
    named |= {"rankward_dispatcher_slice_seconds", "rankward_dispatcher_workers", "rankward_dispatcher_errors"}
    assert named <= set(families(text))
    assert all(name in DOCUMENT.read_text() for name in named)


def test_the_numbers_of_the_metrics(api, finish, monkeypatch):
    monkeypatch.setattr(exposition, "SECONDS_BETWEEN_COUNTS", 0)
    before = {
        sample.labels["end"]: sample.value
        for sample in metrics.SLICES.collect()[0].samples
        if sample.name.endswith("_total")
    }
    finish({"run": BASIC | {"stop": {"max_steps": 300}}, "sweep": [{"seed": [0, 1]}]})
    api.post("/v1/experiments", json={"run": BASIC, "sweep": [{"seed": [0, 1, 2]}]})
    shown = families(api.get("/metrics").text)
    runs = {sample.labels["status"]: sample.value for sample in shown["rankward_runs"].samples}
    assert runs == {"queued": 3, "running": 0, "succeeded": 2, "failed": 0, "cancelled": 0}
    assert shown["rankward_queue_depth"].samples[0].value == 3
    assert 0 <= shown["rankward_queue_oldest_seconds"].samples[0].value < 60
    after = {
        sample.labels["end"]: sample.value
        for sample in metrics.SLICES.collect()[0].samples
        if sample.name.endswith("_total")
    }
    assert after["stored"] > before["stored"]
    steps = {
        sample.labels["engine"]: sample.value
        for sample in metrics.STEPS.collect()[0].samples
        if sample.name.endswith("_total")
    }
    assert steps["torch"] >= 600
    routes = {sample.labels["route"] for sample in shown["rankward_http_request_seconds"].samples}
    assert "/v1/experiments/{experiment_id}" in routes


def test_a_dispatcher_that_shows_nothing_breaks_no_scrape(database, settings):
    from fastapi.testclient import TestClient

    changed = settings.model_copy(update={"dispatcher_metrics_url": "http://127.0.0.1:9/metrics"})
    with TestClient(create_app(changed), base_url="http://localhost") as client:
        assert "rankward_runs" in families(client.get("/metrics").text)


def test_readiness_asks_for_a_dispatcher_unless_told_to_ask_for_the_database_alone(api, monkeypatch):
    assert api.get("/readyz?require=database").json()["dispatcher"] == "never seen"
    assert api.get("/readyz").status_code == 503
    heard = [AtWork(("one", "two"), 0.5), AtWork((), 120), AtWork((), 120)]
    monkeypatch.setattr(readiness, "dispatchers_at_work", lambda _: heard.pop(0))
    ready = api.get("/readyz").json()
    assert (ready["dispatcher"], ready["dispatchers"]) == ("working", 2)
    assert api.get("/readyz?require=database").json()["dispatcher"] == "silent"
    assert "rankward dispatcher" in api.get("/readyz").json()["detail"]


def test_a_database_without_the_newest_schema_is_not_ready(api, database):
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'old'"))
    answer = api.get("/readyz")
    assert answer.status_code == 503
    assert "rankward migrate" in answer.json()["detail"]


def test_the_log_has_ids_of_requests_runs_and_experiments(api, finish):
    with capture_logs() as lines:
        experiment = finish({"run": BASIC, "sweep": [{"seed": [0, 1]}]})
    (submitted,) = [line for line in lines if line["event"] == "request" and line["method"] == "POST"]
    assert (submitted["status"], submitted["route"]) == (202, "/v1/experiments")
    over = [line for line in lines if line["event"] == "run over"]
    assert {line["experiment"] for line in over} == {experiment["id"]}
    assert {line["run"] for line in over} == {run["id"] for run in api.get("/v1/runs").json()["items"]}


@pytest.fixture
def settings(settings):
    """With slices so long that runs which could end in one slice do, however busy the machine is."""
    return settings.model_copy(update={"slice_seconds": 60.0})


def test_the_log_counts_runs_that_end_together(finish):
    with capture_logs() as lines:
        experiment = finish({"run": BASIC, "sweep": [{"seed": list(range(40))}]})
    together = [line for line in lines if line["event"] == "runs over"]
    assert {(line["experiment"], line["status"]) for line in together} == {(experiment["id"], "succeeded")}
    assert sum(line["runs"] for line in together) == 40
    assert not [line for line in lines if line["event"] == "run over"]


def test_settings_from_files(tmp_path: Path, monkeypatch):
    (tmp_path / "url").write_text("sqlite:////somewhere\n")
    monkeypatch.setenv("RANKWARD_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert Settings().url == "sqlite:////somewhere"
    monkeypatch.setenv("RANKWARD_DATABASE_URL", "sqlite:////elsewhere")
    assert Settings().url == "sqlite:////elsewhere"
