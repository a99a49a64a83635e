"""Starts that others report: odd directories, IPv6, proxies in the environment, a newer database, impatient people."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import psutil
import pytest

from service.client.api import Rankward
from service.processes.strange_variables import strange_variables
from service.settings import Settings
from service.store.database import Database
from service.store.migrate import migrate
from service.store.schema import check_schema
from service.store.unusable import UnusableDatabase
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC

NOWHERE = "http://127.0.0.1:9"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
STRANGE_NAMES = ["x?1", "x?2", "a%20b", "a b", "#1", "\u00fc", "a:b@c", "%", "x&y=z", "a;b", "it's", 'say "x"', "[1]"]


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


ON_IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
WITHOUT_IPV6 = pytest.mark.skipif(has_ipv6(), reason="the same is tested on ::1")


@pytest.mark.parametrize(
    ("host", "replaced"),
    [
        ("127.0.0.1", False),
        pytest.param("::1", True, marks=ON_IPV6),
        pytest.param("127.0.0.1", True, marks=WITHOUT_IPV6),
    ],
)
def test_a_strange_place_with_proxies_whose_database_file_is_deleted(tmp_path, monkeypatch, capfd, host, replaced):
    """The service and its clients ask no proxy for the loopback, and a file that is gone or another is noticed."""
    for name in PROXIES:
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    data_dir = tmp_path / "a b?c%20"
    with Server(data_dir, RANKWARD_HOST=host, RANKWARD_PROT="1") as server:
        assert server.url.startswith("http://[::1]:" if ":" in host else "http://127.0.0.1:")
        assert server.client.wait(server.client.submit({"run": BASIC})["id"])["status"] == "succeeded"
        listed = subprocess.run(
            [sys.executable, "-m", "service.cli", "runs", "--json", "--url", server.url],
            capture_output=True,
            text=True,
            check=False,
        )
        assert '"succeeded"' in listed.stdout, listed.stderr
        with httpx2.Client(trust_env=False) as http:
            assert "rankward_dispatcher_steps" in http.get(f"{server.url}/metrics").text
        assert (data_dir / "rankward.db").is_file()
        check_deletion_is_noticed(server, replaced)
    assert "removed or replaced" in capfd.readouterr().err
    assert replaced or not (data_dir / "rankward.db").exists()


def check_deletion_is_noticed(server, replaced):
    file = server.data_dir / "rankward.db"
    if replaced:
        (server.data_dir / "other.db").write_bytes(file.read_bytes())
        (server.data_dir / "other.db").rename(file)
    else:
        file.unlink()
    with httpx2.Client(base_url=server.url, trust_env=False) as http:
        deadline = time.monotonic() + 5
        while http.get("/readyz").status_code != 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        posted = http.post("/v1/experiments", json={"run": BASIC})
        assert (posted.status_code, posted.headers["content-type"]) == (503, "application/problem+json")
        assert http.get("/livez").status_code == 200


def test_a_server_elsewhere_is_reached_through_the_proxy(monkeypatch):
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b'{"items": []}')

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        monkeypatch.delenv("no_proxy", raising=False)
        with Rankward("http://lab.example") as client:
            assert client.presets() == []
        proxy.shutdown()
    assert asked == ["http://lab.example/v1/presets"]


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_any_name_of_a_data_directory(tmp_path, name):
    settings = Settings(data_dir=tmp_path / name)
    settings.data_dir.mkdir()
    migrate(settings.url)
    check_schema(Database(settings.url))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (settings.data_dir / "rankward.db").stat().st_size > 0


def test_a_database_of_a_newer_version_is_a_sentence(tmp_path):
    settings = Settings(data_dir=tmp_path)
    migrate(settings.url)
    with sqlite3.connect(tmp_path / "rankward.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(UnusableDatabase, match=r"newer version.*9999"):
        migrate(settings.url)
    started = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 1
    assert "newer version" in started.stderr
    assert "Traceback" not in started.stderr


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("RANKWARD_PROT", "RANKWARD_PORT"),
        ("RANKWARD_DATADIR", "RANKWARD_DATA_DIR"),
        ("RANKWARD_MAX_STEPS", "RANKWARD_MAX_STEPS_PER_RUN"),
        ("RANKWARD_ULR", "RANKWARD_URL"),
        ("rankward_worker", "RANKWARD_WORKERS"),
        ("RANKWARD_SOMETHING_ELSE_ALTOGETHER", None),
    ],
)
def test_a_mistyped_variable_has_its_nearest_name(name, meant):
    assert list(strange_variables({name: "1", "RANKWARD_PORT": "1", "PATH": "/"})) == [(name, meant)]


def test_no_setting_is_strange():
    names = re.findall(r"RANKWARD_[A-Z_]+", (Path(__file__).parents[2] / "docs" / "operations.md").read_text())
    known = set(names) - {"RANKWARD_X", "RANKWARD_X_FILE"}
    assert len(known) > 40
    assert list(strange_variables(dict.fromkeys(known, "1"))) == []


def test_a_mistyped_variable_is_said_once_and_spoils_no_output(tmp_path):
    said = subprocess.run(
        [sys.executable, "-m", "service.cli", "settings"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "RANKWARD_PROT": "1"},
    )
    assert said.stdout.startswith("| variable")
    assert said.stderr.count("RANKWARD_PROT") == 1
    assert "RANKWARD_PORT" in said.stderr


def test_a_second_ctrl_c_ends_everything_at_once(tmp_path):
    server = Server(tmp_path, RANKWARD_SLICE_SECONDS="30")
    slow = BASIC | {"stop": {"max_steps": 10**9}}
    server.client.submit({"run": slow})
    time.sleep(3)  # by then a slice of half a minute is under way, for which a first Ctrl-C waits
    tree = psutil.Process(server.process.pid).children(recursive=True)
    server.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert server.process.poll() is None
    begun = time.monotonic()
    assert server.interrupt() == 130
    assert time.monotonic() - begun < 3
    _, alive = psutil.wait_procs(tree, timeout=10)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
