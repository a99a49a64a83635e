"""`rankward reproduce`: a run is computed again and compared; what differs is said with why it may."""

import json

import pytest
import typer

from service.cli import reproduce
from tests.cli.shells import piped
from tests.helpers.specs import BASIC


def test_a_run_is_computed_again_to_the_bit(server):
    start = {"kind": "explicit", "factors": [[[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.1], [-0.2, 0.4]]]}
    spec = BASIC | {"init": start, "model": {"kind": "deep_matrix", "depth": 2}, "seed": 2**60}
    experiment = server.client.wait(server.client.submit({"run": spec})["id"])
    (run,) = server.client.runs(experiment["id"])
    done = piped(server, "reproduce", run["id"][-8:])
    assert done.returncode == 0, done.stderr
    points = len(server.client.trajectory(run["id"])["columns"]["step"])
    assert f"The same to the bit: all {points} points" in done.stdout
    told = json.loads(piped(server, "reproduce", run["id"], "--json").stdout)
    assert (told["run"], told["first_difference"], told["computed_unlike"]) == (run["id"], None, [])
    tagged = list(server.client.experiments(where=f"tags.reproduces = '{run['id']}'"))
    assert len(tagged) == 2


class Answers:
    """A service, as the command asks it: run `a`, which comes out as run `b`; other names are those of statuses."""

    url = "http://127.0.0.1:8000"
    before = {"id": "a", "status": "succeeded", "engine": "fused", "device": "cpu", "spec": {}}
    losses = {"a": [1.0, 0.5], "b": [1.0, 0.25]}

    def __init__(self, before, after):
        self.before, self.after = {**self.before, "computed_with": before}, {"id": "b", "computed_with": after}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def run(self, run_id):
        return self.before if run_id == "a" else {**self.before, "id": run_id, "status": run_id}

    def submit(self, _):
        return {"id": "e", "status": "queued", "runs": {"total": 1}}

    def wait(self, *_, **__):
        return {}

    def runs(self, _):
        return [{**self.before, **self.after}]

    def trajectory(self, run_id):
        return {"columns": {"step": [0, 1], "loss": self.losses[run_id]}}


USUAL = {"torch": "2.13.0", "processor": "A"}


@pytest.mark.parametrize(
    ("computed_with", "said"),
    [
        ({**USUAL, "torch": "2.14.1"}, "That may be because torch is 2.14.1 and was 2.13.0."),
        (USUAL, "this is a fault"),
    ],
)
def test_what_differs_is_said_with_why_it_may(monkeypatch, capsys, computed_with, said):
    monkeypatch.setattr(reproduce, "Rankward", lambda *_: Answers(USUAL, computed_with))
    with pytest.raises(typer.Exit) as ended:
        reproduce.reproduce("a")
    assert ended.value.exit_code == 1
    shown = capsys.readouterr().out
    assert "Not the same: `loss` at step 1 is 0.25 and was 0.5 (run b)." in shown
    assert said in shown


@pytest.mark.parametrize("status", ["running", "cancelled", "failed"])
def test_only_runs_that_ended_are_computed_again(monkeypatch, status):
    monkeypatch.setattr(reproduce, "Rankward", lambda *_: Answers(USUAL, USUAL))
    with pytest.raises(reproduce.NothingToCompare, match=f"is {status}; "):
        reproduce.reproduce(status)
