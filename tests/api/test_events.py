"""Server-sent events: in the database's order, resumable anywhere, and over when the experiment is."""

import json
import threading
import time

import pytest
from sqlalchemy import event

from service.app import create_app
from service.edge.event_streams import EventStreams
from service.settings import Limits
from service.store.database import Database
from service.use_cases import experiments
from service.use_cases.events import FROM_THE_START, read_events
from tests.helpers.databases import BOTH_DATABASES
from tests.helpers.specs import BASIC

FOUR = {"run": BASIC, "sweep": [{"seed": [0, 1, 2, 3]}]}


def parsed(text):
    """Events of a stream's text: (id, kind, data); comments and retry lines left out."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


def followed(api, experiment_id, last=None, **query):
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    return api.get(f"/v1/experiments/{experiment_id}/events", params=query, headers=headers)


@BOTH_DATABASES
def test_a_finished_experiment_tells_every_run_once_and_ends(api, finish):
    experiment = finish(FOUR)
    answer = followed(api, experiment["id"])
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    found = parsed(answer.text)
    assert [kind for _, kind, _ in found] == ["run"] * 4 + ["progress", "done"]
    assert sorted(data["index"] for _, kind, data in found if kind == "run") == [0, 1, 2, 3]
    assert {data["status"] for _, kind, data in found if kind == "run"} == {"succeeded"}
    assert found[-1][2] == {"experiment_id": experiment["id"], "status": "succeeded", "runs": experiment["runs"]}
    ids = [number for number, _, _ in found]
    assert ids == sorted(set(ids))


def test_it_resumes_after_any_event(api, finish):
    experiment = finish(FOUR)
    whole = parsed(followed(api, experiment["id"]).text)
    for place, (number, _, _) in enumerate(whole[:-1]):
        assert parsed(followed(api, experiment["id"], number).text) == whole[place + 1 :]
    assert parsed(followed(api, experiment["id"], after=whole[2][0]).text) == whole[3:]


def test_who_has_seen_done_is_told_to_connect_no_more(api, finish):
    experiment = finish(FOUR)
    last = parsed(followed(api, experiment["id"]).text)[-1][0]
    assert followed(api, experiment["id"], last).status_code == 204


@pytest.mark.parametrize("last", ["10000000000", "99999999999999999999999", "-4", "nonsense", "٣"])
def test_an_id_that_was_never_given_out_stands_for_the_start(api, finish, last):
    experiment = finish(FOUR)
    answer = api.get(f"/v1/experiments/{experiment['id']}/events", headers={"Last-Event-ID": last.encode()})
    assert len(parsed(answer.text)) == 6


def test_no_such_experiment_and_no_such_parameter(api, finish):
    assert followed(api, "nothing").status_code == 404
    experiment = finish(FOUR)
    assert followed(api, experiment["id"], since=3).status_code == 422
    assert followed(api, experiment["id"], after="x").status_code == 422


@BOTH_DATABASES
def test_every_change_of_status_is_an_event(api, finish, database):
    """Failed, tried again, cancelled, extended: each moves the run to the end of the order."""
    experiment = finish({"run": BASIC | {"stop": {"max_steps": 50}}})
    run = api.get(f"/v1/runs?experiment_id={experiment['id']}").json()["items"][0]["id"]

    def newest():
        with database.reading() as connection:
            reading = read_events(connection, experiment["id"], FROM_THE_START)
        assert reading is not None
        first = reading.events[0]
        return first.id, first.data["status"], reading.is_over

    seen = [newest()]
    for path, body in (("extend", {"max_steps": 100}), ("cancel", None), ("retry", None)):
        assert api.post(f"/v1/runs/{run}/{path}", json=body).status_code == 202
        seen.append(newest())
    assert [status for _, status, _ in seen] == ["succeeded", "queued", "cancelled", "queued"]
    assert [over for *_, over in seen] == [True, False, True, False]
    assert [number for number, *_ in seen] == sorted({number for number, *_ in seen})


@BOTH_DATABASES
def test_a_slice_tells_progress_and_the_same_slice_applied_twice_tells_nothing(api, dispatcher, database):
    experiment = api.post("/v1/experiments", json=FOUR).json()

    def ids():
        with database.reading() as connection:
            reading = read_events(connection, experiment["id"], FROM_THE_START)
        assert reading is not None
        return [(one.id, one.kind) for one in reading.events]

    before = ids()
    dispatcher.tick()
    leased = ids()
    assert [kind for _, kind in leased] == ["progress"]
    assert leased[0][0] > before[0][0]
    lease, future = dispatcher._done.get()
    dispatcher._store(lease, future)
    stored = ids()
    assert stored[-1][0] > leased[-1][0]
    dispatcher._in_flight[lease.token] = lease
    dispatcher._store(lease, future)
    assert ids() == stored


@BOTH_DATABASES
def test_runs_of_many_experiments_in_one_slice_are_told_to_each(finish, api, dispatcher):
    others = [api.post("/v1/experiments", json=FOUR).json() for _ in range(2)]
    finish(FOUR)
    for other in others:
        assert [kind for _, kind, _ in parsed(followed(api, other["id"]).text)] == ["run"] * 4 + ["progress", "done"]


def test_many_runs_come_in_several_readings(api, finish, monkeypatch):
    monkeypatch.setattr("service.use_cases.events.MOST_RUNS_AT_ONCE", 3)
    experiment = finish({"run": BASIC, "sweep": [{"seed": list(range(8))}]})
    found = parsed(followed(api, experiment["id"]).text)
    assert len({data["id"] for _, kind, data in found if kind == "run"}) == 8
    assert found[-1][1] == "done"


def test_a_deleted_experiment_ends_its_streams(api, database):
    experiment = api.post("/v1/experiments", json=FOUR).json()
    told = threading.Thread(target=lambda: answers.append(followed(api, experiment["id"])))
    answers: list = []
    told.start()
    until(lambda: any(stream.after for stream in tuple(api.app.state.event_streams._streams)))  # it was told how far
    assert api.delete(f"/v1/experiments/{experiment['id']}").status_code == 204
    told.join(10)
    # Nothing where the experiment is gone before its progress is on the way.
    assert {kind for _, kind, _ in parsed(answers[0].text)} <= {"progress"}
    assert followed(api, experiment["id"]).status_code == 404
    until(lambda: not api.app.state.event_streams._streams)


def until(found):
    deadline = time.monotonic() + 10
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_server_ends_streams_when_it_ends_and_opens_no_more(api):
    experiment = api.post("/v1/experiments", json=FOUR).json()
    answers: list = []
    told = threading.Thread(target=lambda: answers.append(followed(api, experiment["id"])))
    told.start()
    until(lambda: api.app.state.event_streams._streams)
    api.app.state.event_streams.close()
    told.join(10)
    assert answers[0].status_code == 200
    assert followed(api, experiment["id"]).status_code == 503


def test_too_many_streams_are_refused_with_the_limit_to_raise(settings, database, api):
    from fastapi.testclient import TestClient

    experiment = api.post("/v1/experiments", json=FOUR).json()
    with TestClient(create_app(settings, Limits(max_event_streams=0)), base_url="http://localhost") as full:
        answer = followed(full, experiment["id"])
    assert answer.status_code == 503
    assert "RANKWARD_MAX_EVENT_STREAMS" in answer.json()["detail"]


class Client:
    """A stream's other end, without an event loop."""

    def __init__(self, experiment_id, after=FROM_THE_START):
        self.experiment_id, self.after, self.revision, self.chunks = experiment_id, after, None, []
        self.takes_more = True

    def put(self, chunk):
        self.chunks.append(chunk)


def test_two_hundred_clients_cost_as_much_as_one(api, database: Database):
    """Queries are counted, not seconds: one asks what changed; if something did, it is read once for all."""
    experiment = api.post("/v1/experiments", json=FOUR).json()
    streams = EventStreams(database, 1, 1000)
    clients = tuple(Client(experiment["id"]) for _ in range(200))
    asked = []

    def note(_connection, _cursor, statement, *_):
        asked.extend([statement] if statement.startswith("SELECT") else [])

    event.listen(database._engine, "before_cursor_execute", note)
    streams._serve(clients)
    assert len(asked) == 3
    asked.clear()
    streams._serve(clients)
    assert len(asked) == 1
    asked.clear()
    experiments.cancel(database, experiment["id"])
    asked.clear()
    streams._serve(clients)
    assert len(asked) == 3
    kinds = [kind for _, kind, _ in parsed(b"".join(filter(None, clients[7].chunks)).decode())]
    assert kinds == ["progress"] + ["run"] * 4 + ["progress", "done"]
    assert all(client.chunks == clients[0].chunks for client in clients)


def test_a_client_that_does_not_read_is_passed_over_and_then_gets_the_newest(api, database: Database):
    experiment = api.post("/v1/experiments", json=FOUR).json()
    streams, client = EventStreams(database, 1, 1000), Client(experiment["id"])
    streams._serve((client,))
    client.takes_more = False
    experiments.cancel(database, experiment["id"])
    streams._serve((client,))
    assert len(client.chunks) == 1
    client.takes_more = True
    streams._serve((client,))
    assert b"cancelled" in client.chunks[1]


@pytest.mark.parametrize(
    "last", ["9" * 5000, "0" * 5000, "9" * 19, "-1", "1e5", "\u00b2", " 1 ", "nan", "1" + "0" * 4299]
)
def test_an_event_number_of_any_kind_is_heeded_or_ignored(api, finish, last):
    experiment = finish({"run": BASIC | {"stop": {"max_steps": 20}}})
    answer = api.get(f"/v1/experiments/{experiment['id']}/events", headers={"Last-Event-ID": last.encode("latin-1")})
    assert answer.status_code in (200, 204)


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/v1/runs?limit={DIGITS}", {}),
        (f"/v1/runs?where=step%20%3E%20{DIGITS}", {}),
        (f"/v1/experiments/none/events?after={DIGITS}", {}),
        (f"/v1/experiments/none/figures/metrics.png?width={DIGITS}", {}),
        (f"/v1/runs/none/trajectory?from_step={DIGITS}", {}),
        ("/docs/assets/swagger-ui.css", {"Range": f"bytes={DIGITS}-"}),
        ("/docs/assets/swagger-ui.css", {"Range": f"bytes=0-{DIGITS}"}),
        ("/v1/runs", {"Accept": f"application/json;q={DIGITS}"}),
    ],
)
def test_numbers_of_thousands_of_digits_are_no_error_of_ours(api, path, headers):
    assert api.get(path, headers=headers).status_code < 500
