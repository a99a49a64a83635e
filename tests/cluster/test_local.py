"""The cluster that `rankward serve` starts: nothing of it listens beyond the loopback."""

import httpx2
import psutil

from service.values.addresses import is_loopback
from tests.helpers.specs import BASIC


def test_nothing_listens_beyond_the_loopback(server):
    server.client.wait(server.client.submit({"run": BASIC})["id"])
    family = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    listening = {
        connection.laddr.ip
        for process in family
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening
    assert all(is_loopback(address) for address in listening)


def test_one_scrape_shows_api_runs_and_dispatcher(server):
    server.client.wait(server.client.submit({"run": BASIC})["id"])
    text = httpx2.get(f"{server.url}/metrics").text
    assert 'rankward_runs{status="succeeded"}' in text
    assert "rankward_dispatcher_workers 1.0" in text
    assert 'rankward_dispatcher_slices_total{end="stored"}' in text
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
