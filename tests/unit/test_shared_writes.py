"""Writes that share a transaction: each is answered as if it were alone, and not before it is committed."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError

from service.store.database import DATABASE_AWAY, Database
from service.store.shared_writes import SharedWrites

NUMBERS = sa.Table("numbers", sa.MetaData(), sa.Column("number", sa.Integer, primary_key=True))
LOCKED = OperationalError("COMMIT", None, Exception("database is locked"))


class Store:
    """Writes numbers, no number twice, and counts transactions, which can be made to fail."""

    def __init__(self, folder):
        self._database = Database(f"sqlite:///{folder}/numbers.db")
        with self._database.writing() as connection:
            NUMBERS.create(connection)
        self.transactions, self.failing_at, self.failing_from = 0, None, 99
        self._shared = SharedWrites(self._writing, DATABASE_AWAY)
        self._threads = ThreadPoolExecutor(32)

    def write_while_another_is_under_way(self, numbers, failing_at=None, failing_from=99):
        """The futures of an insert of each number, by threads that came in this order during one transaction.

        Args:
            failing_at: the moment at which every transaction after that one fails.
            failing_from: the number of the transaction after that one from which on none can begin.
        """
        begun, may_end = threading.Event(), threading.Event()
        first = self._threads.submit(self._shared.write, lambda _: begun.set() or may_end.wait(10))
        assert begun.wait(10)
        futures = [self._start(number) for number in numbers]
        self.transactions, self.failing_at, self.failing_from = 0, failing_at, failing_from
        assert not any(future.done() for future in futures)
        may_end.set()
        assert first.result(10)
        return futures

    def insert(self, number):
        return self._shared.write(lambda connection: self._insert(connection, number))

    def stored(self):
        with self._database.reading() as connection:
            return set(connection.scalars(sa.select(NUMBERS.c.number)))

    def _start(self, number):
        before = len(self._shared._waiting)
        future = self._threads.submit(self.insert, number)
        while len(self._shared._waiting) == before:
            time.sleep(0.001)
        return future

    def _insert(self, connection, number):
        connection.execute(sa.insert(NUMBERS), {"number": number})
        place = connection.scalar(sa.select(sa.func.count()).select_from(NUMBERS))
        return number, place

    @contextmanager
    def _writing(self):
        self.transactions += 1
        failing_at = self.failing_at
        if failing_at == "begin" or self.transactions >= self.failing_from:
            raise LOCKED
        with self._database.writing() as connection:
            yield connection
            if failing_at is not None:
                raise KeyboardInterrupt if failing_at == "interrupt" else LOCKED


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_all_that_wait_share_one_transaction_in_the_order_in_which_they_came(store):
    futures = store.write_while_another_is_under_way(range(20))
    assert [future.result(10) for future in futures] == [(number, number + 1) for number in range(20)]
    assert store.transactions == 1
    assert store.stored() == set(range(20))


def test_one_that_fails_hears_of_it_and_the_others_are_stored(store):
    store.insert(3)
    futures = store.write_while_another_is_under_way([1, 2, 3, 4])
    with pytest.raises(IntegrityError):
        futures[2].result(10)
    assert [futures[which].result(10)[0] for which in (0, 1, 3)] == [1, 2, 4]
    assert store.stored() == {1, 2, 3, 4}
    assert store.transactions == 1 + 4


def test_where_the_database_goes_away_meanwhile_the_rest_is_not_tried_one_by_one(store):
    store.insert(1)
    futures = store.write_while_another_is_under_way([0, 1, 2, 3, 4], failing_from=3)
    assert futures[0].result(10)[0] == 0
    for future in futures[1:]:
        with pytest.raises(OperationalError, match="database is locked"):
            future.result(10)
    assert store.transactions == 3


@pytest.mark.parametrize("moment", ["begin", "commit"])
def test_where_the_database_is_away_all_hear_of_it_after_one_try(store, moment):
    store.insert(0)
    futures = store.write_while_another_is_under_way([1, 2, 3], failing_at=moment)
    for future in futures:
        with pytest.raises(OperationalError, match="database is locked"):
            future.result(10)
    assert (store.transactions, store.stored()) == (1, {0})
    store.failing_at = None
    assert store.insert(1) == (1, 2)


def test_a_leader_that_is_interrupted_leaves_no_one_with_an_answer(store):
    futures = store.write_while_another_is_under_way([1, 2], failing_at="interrupt")
    with pytest.raises(KeyboardInterrupt):
        futures[0].result(10)
    with pytest.raises(InterruptedError, match="before it had"):
        futures[1].result(10)
    store.failing_at = None
    assert store.insert(1) == (1, 1)
