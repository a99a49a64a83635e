"""A whole service in this process, for tests that compute much and kill nothing: it starts at once."""

import threading
from collections.abc import Generator
from contextlib import closing, contextmanager

from service.client.api import Rankward
from service.dispatch.heart import beating
from service.dispatch.loop import Dispatcher
from service.dispatch.membership import Membership
from service.settings import Settings
from service.store.database import Database
from tests.helpers.api_server import serving
from tests.helpers.inline_cluster import InlineCluster


@contextmanager
def in_process(settings: Settings) -> Generator[Rankward]:
    """A client of the API, behind which a dispatcher computes: both are threads, on a database with the schema."""
    stopping = threading.Event()
    with closing(Database(settings.url, settings.busy_seconds)) as database, serving(settings) as (host, port):
        membership = Membership(database, None, settings.lease_seconds)
        assert membership.try_to_join()
        dispatcher = Dispatcher(database, InlineCluster(), settings, membership, stopping)
        with beating(membership), Rankward(f"http://{host}:{port}") as client:
            thread = threading.Thread(target=_dispatch, args=(dispatcher, client), name="dispatcher")
            thread.start()
            try:
                yield client
            finally:
                stopping.set()
                thread.join(60)
                assert not thread.is_alive()


def _dispatch(dispatcher: Dispatcher, client: Rankward) -> None:
    """Dispatch to the end, after which the client waits for nothing more."""
    try:
        dispatcher.run()
    finally:
        client.close()
