"""Health checks of containers: what is well, and what is not."""

import http.server
import os
import subprocess
import sys
import threading
import time

import pytest

from service.processes.health import MOST_SECONDS_OF_SILENCE, check


@pytest.fixture
def page():
    """A server whose /well is 200; everything else is 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/well" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_page_is_well_or_not_whatever_proxies_there_are(page, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    check(f"{page}/well")
    with pytest.raises(OSError, match="404"):
        check(f"{page}/ill")


def test_a_file_is_well_while_it_is_renewed(tmp_path):
    with pytest.raises(FileNotFoundError):
        check(f"file://{tmp_path}/alive")
    (tmp_path / "alive").touch()
    check(f"file://{tmp_path}/alive")
    before = time.time() - MOST_SECONDS_OF_SILENCE - 1
    os.utime(tmp_path / "alive", (before, before))
    with pytest.raises(OSError, match="silent for 31 s"):
        check(f"file://{tmp_path}/alive")


def test_other_addresses_are_refused():
    with pytest.raises(OSError, match="begins with none of"):
        check("ftp://127.0.0.1")


def test_the_command_ends_with_a_sentence_and_loads_little(tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "service.processes.health", f"file://{tmp_path}/alive"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not well: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "pydantic" not in done.stderr
