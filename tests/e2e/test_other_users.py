"""Other users of the same machine: they run no code in the workers, and read nothing of what the service keeps."""

import asyncio
import stat
from pathlib import Path

import psutil
import pytest
from distributed.comm import connect
from distributed.security import Security

from service.processes.private_files import make_private
from service.settings import Settings
from service.store.sqlite import database_file
from tests.helpers import coroutines
from tests.helpers.servers import Server
from tests.helpers.specs import BASIC


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_files_of(data_dir):
    return [path for path in (data_dir, *data_dir.glob("*")) if mode(path) & 0o077]


async def shake_hands(address, security):
    """What a dask client does first, and a question that whatever listens answers."""
    comm = await connect(address, timeout=3, **security.get_connection_args("client"))
    try:
        await comm.write({"op": "identity", "reply": True})
        return await comm.read()
    finally:
        comm.abort()


async def all_of(tried):
    """What each of some coroutines returns, or the error in which it ends, within five seconds."""
    return await asyncio.gather(*(asyncio.wait_for(attempt, 5) for attempt in tried), return_exceptions=True)


def dask_ports(server, family):
    """Ports on which the service listens, but that of the API and that of the metrics."""
    listening = {
        connection.laddr.port
        for process in family
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    return listening - {int(server.url.rsplit(":", 1)[1])}


def test_nobody_without_the_certificates_of_this_start_gets_into_the_cluster(server):
    server.client.wait(server.client.submit({"run": BASIC})["id"])
    family = psutil.Process(server.process.pid).children(recursive=True)
    ports = dask_ports(server, family)
    assert len(ports) >= 5  # the scheduler, and two workers with their nannies
    ways = [("tcp", Security()), ("tls", Security.temporary())]
    for port in ports:
        tried = [shake_hands(f"{scheme}://127.0.0.1:{port}", security) for scheme, security in ways]
        for said in coroutines.run(all_of(tried)):
            assert isinstance(said, (OSError, TypeError, ValueError, RuntimeError))


def test_what_dask_imports_from_is_writable_for_its_user_alone(server):
    (workers,) = server.data_dir.glob("workers")
    assert mode(workers) == 0o700
    assert list(workers.rglob("worker-*"))


def check_private(server):
    server.client.wait(server.client.submit({"run": BASIC})["id"])
    names = {path.name for path in server.data_dir.iterdir()}
    assert {"rankward.db", "rankward.db-wal", "rankward.db-shm"} <= names
    assert not open_files_of(server.data_dir)


def test_a_new_data_directory_and_its_database_are_private(server):
    check_private(server)


def test_a_data_directory_that_others_could_read_becomes_private(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o755)
    (data_dir / "rankward.db").touch(mode=0o644)
    (data_dir / "serve.lock").touch(mode=0o644)
    data_dir.chmod(0o755)
    with Server(data_dir) as server:
        check_private(server)


@pytest.mark.parametrize("name", ["rankward.db", "rankward.db-wal", "rankward.db-shm", "serve.lock"])
@pytest.mark.parametrize("others", [0o644, 0o660, 0o604])
def test_files_that_others_could_read_are_withdrawn(tmp_path, name, others):
    settings = Settings(data_dir=tmp_path / "x[1]*")
    make_private(settings.data_dir, database_file(settings.url))
    assert mode(settings.data_dir / "rankward.db") == 0o600
    (settings.data_dir / name).touch()
    (settings.data_dir / name).chmod(others)
    settings.data_dir.chmod(0o755)
    make_private(settings.data_dir, database_file(settings.url))
    assert not open_files_of(settings.data_dir)


def test_a_directory_of_other_things_keeps_its_permissions_and_the_database_is_private(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "notes.txt").touch(mode=0o644)
    settings = Settings(data_dir=tmp_path)
    make_private(tmp_path, database_file(settings.url))
    assert (mode(tmp_path), mode(tmp_path / "notes.txt")) == (0o755, 0o644)
    assert mode(tmp_path / "rankward.db") == 0o600


@pytest.mark.parametrize("url", ["postgresql://lab/rankward", "sqlite://", "sqlite:///:memory:"])
def test_a_database_without_a_file_makes_none(tmp_path, url):
    make_private(tmp_path / "data", database_file(url))
    assert list((tmp_path / "data").iterdir()) == []
    assert mode(tmp_path / "data") == 0o700
