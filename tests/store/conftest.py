"""Memberships of dispatchers, whose clocks a test moves by hand."""

import pytest

from service.dispatch.membership import Membership
from service.store import dispatchers
from tests.store.memberships import LEASE, Clocks


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(dispatchers, "database_now", lambda _connection: clocks.day)
    return clocks


@pytest.fixture
def candidate(database, clocks):
    return lambda name=None, cluster=None: Membership(database, name, LEASE, cluster, lambda: clocks.steady)


@pytest.fixture
def joined(candidate):
    def of(name=None, cluster=None):
        membership = candidate(name, cluster)
        assert membership.try_to_join()
        return membership

    return of
