"""The form at /new: what it begins with, what it says is wrong, and that it submits once."""

import re
from html import unescape

import pytest

from service.errors import InvalidPayload
from service.web.spec_text import abridged, from_text, to_yaml
from tests.web.posts import posted


def test_the_form_begins_with_a_preset_and_its_dry_run(api):
    text = api.get("/new?preset=figure_1").text
    assert "model.depth: [2, 2, 3, 3, 4, 4]" in text
    assert "<dt>Runs</dt><dd>60</dd>" in text
    assert api.get("/new?preset=none").status_code == 404


def test_what_the_form_says_of_a_preset_is_the_preset(api):
    for name in (preset["name"] for preset in api.get("/v1/presets").json()["items"]):
        shown = re.search(r"<textarea[^>]*>(.*?)</textarea>", api.get(f"/new?preset={name}").text, re.DOTALL)
        assert shown is not None
        assert from_text(unescape(shown[1])) == api.get(f"/v1/presets/{name}").json()


SPEC = """
name: from a form
run:
  problem: {kind: perturbed_2x2}
  model: {kind: deep_matrix, depth: 2}
  init: {kind: identity, scale: 1e-1}
  optimizer: {kind: gradient_descent, learning_rate: 1e-2}
  stop: {max_steps: 1e3}
"""


def test_submitting_twice_submits_once_and_what_was_changed_since_again(api):
    fields = {"spec": SPEC, "act": "submit", "key": "k"}
    first = api.post("/new", data=fields).url.path
    assert first.startswith("/experiments/")
    assert api.post("/new", data=fields).url.path == first
    assert api.post("/new", data=fields | {"spec": SPEC.replace("form", "page")}).url.path != first
    assert len(api.get("/v1/experiments").json()["items"]) == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (SPEC.replace("depth: 2", "depth: 0"), "/run/model"),
        (SPEC.replace("depth: 2", "dept: 2"), "/run/model/dept"),
        ("run: {a: [1, 2}", "Line 1"),
        ("run: &a {b: 1}\nsweep: *a", "aliases"),
        ("run: {seed: 2026-01-01}", "Use numbers, texts"),
        ("", "object"),
        ("run: " + "[" * 800 + "]" * 800, "nested too deep"),
        ("run: " + "[" * 30_000, "nested too deep"),
        ("run: [" + "1, " * 12_000 + "1]", "Write it as JSON"),
    ],
)
def test_what_is_wrong_with_a_spec_is_said_and_the_text_kept(api, spec, said):
    answer = api.post("/new", data={"spec": spec, "act": "submit"})
    assert answer.status_code == 200
    assert said in answer.text
    assert "This cannot be submitted yet" in answer.text
    assert api.get("/v1/experiments").json()["items"] == []


def test_a_text_too_long_to_read_as_yaml_is_refused_unread():
    with pytest.raises(InvalidPayload, match="more than the 200,000"):
        from_text("x" * 300_000)


def test_a_long_list_is_shown_by_its_ends():
    shown = to_yaml(abridged({"seed": list(range(5000)), "few": [1, 2]}))
    assert shown.startswith("seed: [0, 1, 2,")
    assert "\u2026 4986 more \u2026, 4998, 4999]" in shown
    assert from_text(shown)["few"] == [1, 2]


def test_a_dry_run_stores_nothing(api):
    assert "<dt>Runs</dt><dd>1</dd>" in api.post("/new", data={"spec": SPEC, "act": "check"}).text
    assert api.get("/v1/experiments").json()["items"] == []


def test_edit_as_new_begins_with_what_was_posted(api):
    experiment = posted(api)
    assert "seed: [0, 1, 2, 3]" in api.get(f"/new?experiment={experiment['id']}").text
    run = api.get("/v1/runs").json()["items"][0]["id"]
    assert "<dt>Runs</dt><dd>1</dd>" in api.get(f"/new?run={run}").text
