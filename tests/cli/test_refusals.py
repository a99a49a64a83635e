"""What cannot begin says at once what it waits for, and then why it gives up."""

import re
import subprocess

import pytest

from tests.cli.shells import command
from tests.helpers.servers import Server

pytestmark = pytest.mark.processes


def refused(*arguments):
    ended = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr.splitlines()[-2:]


def test_a_second_server_on_the_same_data_directory(server: Server):
    first, last = refused("serve", "--port", "0", "--data-dir", str(server.data_dir))
    assert "the data directory is taken; waiting for it" in first
    assert "--data-dir" in last


def test_a_port_that_is_taken(server: Server, tmp_path):
    port = server.url.rsplit(":", 1)[1]
    first, last = refused("serve", "--port", port, "--data-dir", str(tmp_path))
    assert "the port is taken; waiting until it is free" in first
    assert "(Address already in use); take another --port" in last


def test_no_server():
    first, last = refused("runs", "--url", "http://127.0.0.1:9")
    assert re.fullmatch(r"No server answers at http://127.0.0.1:9 yet \(.*Connection refused\); trying again\.", first)
    assert "`rankward serve`" in last
