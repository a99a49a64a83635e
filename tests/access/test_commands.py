"""`rankward keys`, and commands that refuse to let strangers in."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from service.cli import app
from service.dispatch.configuration import UnsafeCluster, security_of
from service.settings import Settings
from service.store.migrate import migrate
from tests.helpers.specs import BASIC

pytestmark = pytest.mark.processes


def rankward(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def keys(*arguments, data_dir):
    done = CliRunner().invoke(app, ["keys", *arguments, "--data-dir", str(data_dir)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_keys_are_made_listed_and_revoked(tmp_path: Path):
    token = keys("create", "Ada's laptop", "--max-unfinished-runs", "5", data_dir=tmp_path).strip()
    assert token.startswith("rw_")
    (listed,) = json.loads(keys("list", "--json", data_dir=tmp_path))
    assert token.startswith(listed["prefix"])
    assert (listed["name"], listed["scopes"], listed["max_unfinished_runs"]) == ("Ada's laptop", ["read", "submit"], 5)
    table = keys("list", data_dir=tmp_path)
    assert "in use" in table
    assert token not in table
    keys("revoke", listed["prefix"], data_dir=tmp_path)
    assert "revoked" in keys("list", data_dir=tmp_path)
    again = rankward("keys", "revoke", listed["prefix"], "--data-dir", str(tmp_path))
    assert again.returncode == 1
    assert "rankward keys list" in again.stderr


@pytest.mark.parametrize("act", [["create", "x"], ["list"], ["revoke", "rw_x"]], ids=lambda act: act[0])
def test_a_database_that_does_not_answer_is_a_sentence(act):
    done = rankward("keys", *act, RANKWARD_DATABASE_URL="postgresql://u:secret@127.0.0.1:1/x")
    assert done.returncode == 1
    assert done.stderr.startswith("The database cannot be used. postgresql+psycopg://u:***@127.0.0.1:1/x: ")
    assert "Traceback" not in done.stderr


def test_a_scope_that_does_not_exist(tmp_path: Path):
    done = CliRunner().invoke(app, ["keys", "create", "x", "--scope", "write", "--data-dir", str(tmp_path)])
    assert done.exit_code == 2
    assert "read, submit, admin" in done.output


@pytest.mark.parametrize("role", ["api", "serve"])
def test_listening_beyond_the_loopback_takes_a_key(tmp_path: Path, role):
    migrate(Settings(data_dir=tmp_path).url)
    said = rankward(role, "--host", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path))
    assert said.returncode == 1
    assert "rankward keys create" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("address", "authority", "advice"),
    [
        ("tcp://192.0.2.1:8786", None, "tls://"),
        ("tls://192.0.2.1:8786", None, "RANKWARD_TLS_CA"),
        ("tls://192.0.2.1:8786", Path("/no/such"), "/no/such"),
        ("somewhere", None, "tls://scheduler:8786"),
    ],
)
def test_a_cluster_that_everybody_could_join_is_refused(address, authority, advice):
    with pytest.raises(UnsafeCluster, match=re.escape(advice)):
        security_of(Settings(tls_ca=authority), address)


@pytest.mark.parametrize("role", ["dispatcher", "worker"])
def test_no_role_joins_a_cluster_that_everybody_could_join(tmp_path: Path, role):
    migrate(Settings(data_dir=tmp_path).url)
    said = rankward(role, RANKWARD_DATA_DIR=str(tmp_path), RANKWARD_SCHEDULER="tcp://192.0.2.1:8786")
    assert said.returncode == 1
    assert "tls://" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("role", "option", "variables", "advice"),
    [
        ("dispatcher", "--dispatcher-name=-lab", {"RANKWARD_SCHEDULER": "tcp://192.0.2.1:8786"}, "tls://"),
        ("api", "--host=0.0.0.0", {}, "rankward keys create"),
    ],
)
def test_a_process_of_serve_ends_with_a_sentence_too(tmp_path: Path, role, option, variables, advice):
    """And takes a name that begins as an option does."""
    migrate(Settings(data_dir=tmp_path).url)
    lifeline, kept = os.pipe()
    options = (f"--lifeline={lifeline}", f"--data-dir={tmp_path}", option)
    said = subprocess.run(
        [sys.executable, "-m", "service.child", role, *options],
        env={**os.environ, **variables},
        pass_fds=[lifeline],
        capture_output=True,
        text=True,
        timeout=60,
    )
    os.close(lifeline)
    os.close(kept)
    assert said.returncode == 1
    assert advice in said.stderr
    assert "Traceback" not in said.stderr


def test_sigterm_lets_a_request_in_flight_finish(tmp_path: Path):
    migrate(Settings(data_dir=tmp_path).url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "service.cli", "api", "--port", str(port), "--data-dir", str(tmp_path)]
    process = subprocess.Popen(command)
    until_it_answers(port)
    begun, answers = threading.Event(), []

    def slowly():
        body = json.dumps({"run": BASIC}).encode()
        yield body[:20]
        begun.set()
        time.sleep(2)
        yield body[20:]

    def submit():
        headers = {"Content-Type": "application/json"}
        answers.append(httpx2.post(f"http://127.0.0.1:{port}/v1/experiments", content=slowly(), headers=headers))

    client = threading.Thread(target=submit)
    client.start()
    begun.wait(10)
    time.sleep(0.5)
    process.terminate()
    client.join(30)
    assert [answer.status_code for answer in answers] == [202]
    assert process.wait(30) == 0


def until_it_answers(port):
    for _ in range(600):
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/livez").status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError("the API did not start")
