"""`rankward mcp`: its tools over the SDK, and as an assistant starts it, over standard input and output."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from service.client.api import Rankward
from service.values import extras
from tests.helpers.coroutines import run
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

mcp = pytest.importorskip("mcp", reason="`pip install 'rankward[mcp]'` brings it")
from service.mcp.reading import MOST_POINTS, POINTS_OF_THEORY  # noqa: E402
from service.mcp.server import build  # noqa: E402

ROOT = Path(__file__).parents[2]
READING = {
    "list_presets",
    "preset",
    "describe_spec",
    "dry_run",
    "list_experiments",
    "experiment",
    "query_runs",
    "run",
    "summary",
    "trajectory",
    "theory",
    "list_figures",
    "figure",
}
WRITING = {"submit", "wait", "cancel"}
SWEPT = {"name": "for assistants", "run": BASIC, "sweep": [{"model.depth": [2, 3]}, {"seed": [0, 1]}]}


@pytest.fixture(scope="module")
def experiment(server: Server):
    return server.client.wait(server.client.submit(SWEPT)["id"])


@pytest.fixture
def run_id(server: Server, experiment):
    return next(server.client.runs(experiment["id"], where="model.depth = 3"))["id"]


def tools(client, allow_writes=False):
    """Every tool by its name."""

    async def listed():
        async with mcp.Client(build(client, allow_writes)) as assistant:
            return {tool.name: tool for tool in (await assistant.list_tools()).tools}

    return run(listed())


def called(client, tool, allow_writes=False, **arguments):
    """What a call of a tool brings back."""

    async def call():
        async with mcp.Client(build(client, allow_writes)) as assistant:
            return await assistant.call_tool(tool, arguments)

    return run(call())


def said(client, tool, allow_writes=False, **arguments):
    """The object that a tool answers, the same as text and as structure."""
    result = called(client, tool, allow_writes, **arguments)
    assert not result.is_error, result.content
    (content,) = result.content
    assert json.loads(content.text) == result.structured_content
    assert "\n" not in content.text
    return result.structured_content


def refusal(client, tool, allow_writes=False, **arguments):
    result = called(client, tool, allow_writes, **arguments)
    assert result.is_error
    return result.content[0].text


def test_it_only_reads_unless_it_is_allowed_to_write(server):
    reading, all_of_them = tools(server.client), tools(server.client, allow_writes=True)
    assert set(reading) == READING
    assert set(all_of_them) == READING | WRITING
    assert all(tool.annotations.read_only_hint for tool in reading.values())
    writes = {name for name, tool in all_of_them.items() if not tool.annotations.read_only_hint}
    assert writes == {"submit", "cancel"}
    assert all_of_them["cancel"].annotations.destructive_hint
    assert not all_of_them["submit"].annotations.destructive_hint
    assert "Unknown tool" in refusal(server.client, "submit", preset="first_look")


def test_every_tool_and_argument_is_explained(server):
    for tool in tools(server.client, allow_writes=True).values():
        assert tool.description.endswith(".")
        for name, schema in tool.input_schema.get("properties", {}).items():
            assert schema.get("description") or "enum" in schema, (tool.name, name)


def test_presets(server):
    listed = said(server.client, "list_presets")["items"]
    assert {"name": "first_look", "title": "First look"} in listed
    preset = said(server.client, "preset", name="first_look")
    assert preset["source"]
    assert preset["experiment"] == server.client.preset("first_look")
    assert "there are" in refusal(server.client, "preset", name="none")


def test_a_spec_is_described_from_the_outline_to_one_kind(server):
    outline = said(server.client, "describe_spec")
    assert set(outline["run"]["optimizer"]["kinds"]) >= {"gradient_descent", "adam", "gradient_flow"}
    assert "sweep" in outline["experiment"]
    kinds = said(server.client, "describe_spec", part="init")["kinds"]
    assert kinds["gaussian"]
    (adam,) = said(server.client, "describe_spec", part="optimizer.adam")["schemas"]
    assert adam["properties"]["beta_1"]["default"] == 0.9
    described = said(server.client, "describe_spec", part="adam")
    assert described["schemas"] == [adam]
    assert "Cosine" in described["definitions"]
    stop = said(server.client, "describe_spec", part="stop")
    assert "max_steps" in stop["definitions"]["Stop"]["properties"]
    assert "run" in said(server.client, "describe_spec", part="experiment")["schema"]["properties"]
    message = refusal(server.client, "describe_spec", part="optimizer.adm")
    assert "There is no part 'optimizer.adm'" in message
    assert "Did you mean 'adam'?" in message


def test_every_kind_of_the_outline_is_described(server):
    outline = said(server.client, "describe_spec")["run"]
    for part, brief in outline.items():
        for kind in brief.get("kinds", ()):
            (schema,) = said(server.client, "describe_spec", part=f"{part}.{kind}")["schemas"]
            assert schema["properties"]["kind"]["const"] == kind


def test_a_dry_run_costs_and_its_mistakes_have_pointers(server):
    assert said(server.client, "dry_run", experiment=SWEPT)["runs"] == 4
    assert said(server.client, "dry_run", preset="figure_1")["runs"] == 60
    assert "/run/model" in refusal(server.client, "dry_run", experiment={"run": {**BASIC, "model": None}})
    assert "Give either" in refusal(server.client, "dry_run")
    assert "Give either" in refusal(server.client, "dry_run", experiment=SWEPT, preset="figure_1")


def test_runs_are_asked_for_by_where(server, experiment):
    first = said(server.client, "query_runs", where="model.depth = 3", experiment=experiment["id"], limit=1)
    assert first["has_more"]
    assert first["items"][0]["spec"]["model"]["depth"] == 3
    asked = said(server.client, "query_runs", experiment=experiment["id"][-8:], fields=["seed"], order_by="seed desc")
    assert not asked["has_more"]
    assert [item["spec"]["seed"] for item in asked["items"]] == [1, 1, 0, 0]
    assert "did you mean 'depth'" in refusal(server.client, "query_runs", where="model.dept = 3")
    assert "limit" in refusal(server.client, "query_runs", limit=100_000)
    assert experiment["id"] in [item["id"] for item in said(server.client, "list_experiments")["items"]]
    assert said(server.client, "experiment", experiment=experiment["id"])["runs"]["succeeded"] == 4
    groups = said(server.client, "summary", experiment=experiment["id"], group_by=["model.depth"])["items"]
    assert [group["count"] for group in groups] == [2, 2]


def test_a_trajectory_is_thinned_and_its_vectors_come_when_asked_for(server, run_id):
    got = said(server.client, "trajectory", run=run_id, max_points=20)
    assert 2 <= got["points"] <= 20
    assert all(len(values) == got["points"] for values in got["columns"].values())
    assert got["vectors_left_out"] == ["singular_values"]
    named = said(server.client, "trajectory", run=run_id, metrics=["loss", "singular_values"], max_points=MOST_POINTS)
    assert set(named["columns"]) == {"step", "time", "loss", "singular_values"}
    assert named["columns"]["loss"][-1] == said(server.client, "run", run=run_id)["summary"]["loss"]
    assert "'los' does not exist" in refusal(server.client, "trajectory", run=run_id, metrics=["los"])


def test_theory_comes_at_a_few_points(server, run_id):
    whole, few = server.client.theory(run_id), said(server.client, "theory", run=run_id)
    assert few["bound_holds"] == whole["bound_holds"]
    steps = few["columns"]["step"]
    assert len(steps) == POINTS_OF_THEORY
    assert (steps[0], steps[-1]) == (whole["columns"]["step"][0], whole["columns"]["step"][-1])


def test_a_figure_is_a_picture(server, experiment):
    names = [item["name"] for item in said(server.client, "list_figures", experiment=experiment["id"])["items"]]
    assert "metrics" in names
    (picture,) = called(server.client, "figure", experiment=experiment["id"], name="metrics").content
    assert (picture.type, picture.mime_type) == ("image", "image/png")
    assert "no figure 'none'" in refusal(server.client, "figure", experiment=experiment["id"], name="none")


def test_what_may_write_submits_waits_and_cancels(server):
    stored = said(server.client, "submit", allow_writes=True, experiment=SWEPT, key="assistant")
    again = said(server.client, "submit", allow_writes=True, experiment=SWEPT, key="assistant")
    assert again["id"] == stored["id"]
    ended = said(server.client, "wait", allow_writes=True, experiment=stored["id"], seconds=60)
    assert ended["is_over"]
    assert ended["runs"]["succeeded"] == 4
    slow = {"engine": "torch", "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-7}}
    endless = {"run": {**BASIC, **slow, "stop": {"max_steps": 10_000_000}}}
    long = said(server.client, "submit", allow_writes=True, experiment=endless)
    assert not said(server.client, "wait", allow_writes=True, experiment=long["id"], seconds=0)["is_over"]
    assert said(server.client, "cancel", allow_writes=True, experiment=long["id"])["runs"]["cancelled"] == 1
    assert "There is no experiment" in refusal(server.client, "cancel", allow_writes=True, experiment="f" * 8)


def test_an_assistant_that_gives_up_waiting_is_free_at_once(server):
    endless = {"run": {**BASIC, "optimizer": {"kind": "gradient_descent", "learning_rate": 1e-7}}}
    endless["run"]["stop"] = {"max_steps": 10_000_000}
    stored = server.client.submit(endless)["id"]

    async def give_up():
        async with mcp.Client(build(server.client, allow_writes=True)) as assistant:
            with anyio.move_on_after(1) as given_up:
                await assistant.call_tool("wait", {"experiment": stored, "seconds": 600})
            return given_up.cancelled_caught

    began = time.monotonic()
    assert run(give_up())
    assert time.monotonic() - began < 60
    server.client.cancel(stored)


def test_a_server_that_is_away_is_a_sentence(monkeypatch):
    monkeypatch.setattr("service.client.transport.FIRST_WAIT_SECONDS", 0.0)
    with Rankward("http://127.0.0.1:9") as away:
        assert "No server answers at http://127.0.0.1:9" in refusal(away, "list_presets")


@pytest.mark.parametrize("writes", [False, True])
def test_an_assistant_starts_it(server, writes):
    options = ["--allow-writes"] if writes else []
    parameters = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "service.cli", "mcp", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT), "RANKWARD_URL": server.url},
    )

    async def call():
        async with mcp.Client(mcp.stdio_client(parameters)) as assistant:
            listed = {tool.name for tool in (await assistant.list_tools()).tools}
            return listed, await assistant.call_tool("dry_run", {"experiment": SWEPT})

    listed, answer = run(call())
    assert listed == (READING | WRITING if writes else READING)
    assert answer.structured_content["runs"] == 4


def test_without_the_sdk_the_command_says_what_to_install(server, monkeypatch):
    from service.cli import mcp as command

    monkeypatch.setattr(extras, "requires", lambda _: ["mcp>=2.3; extra == 'mcp'"])
    monkeypatch.setattr(extras, "_is_there", lambda _: False)
    with pytest.raises(extras.NotInstalled, match=r"needs mcp: run `pip install 'rankward\[mcp\]'`"):
        command.mcp(url=server.url)


def test_it_ends_when_its_input_does(server):
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "mcp", "--url", server.url],
        input="",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
