"""Small writes of many threads that share transactions: whoever comes while one is under way is in the next."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

Answer = TypeVar("Answer")
OpenTransaction = Callable[[], AbstractContextManager[sa.Connection]]


class SharedWrites:
    """Group commit: to begin, to commit and to wait for other processes is paid once for all that wait, not by each.

    The first to come leads: it begins a transaction, does in it what all want that have come by then, in their order,
    commits, and hands the lead to the first of those that came meanwhile. Nobody has an answer before the commit that
    holds it. Where one of several fails, all is rolled back and each is done in a transaction of its own.

    Args:
        writing: opens a transaction.
        away: errors of a database that is there for nobody; they are everybody's answer, without another try.
    """

    def __init__(self, writing: OpenTransaction, away: tuple[type[Exception], ...]) -> None:
        self._writing, self._away = writing, away
        self._guard = threading.Lock()
        self._waiting: list[_Write[Any]] = []
        self._has_leader = False

    def write(self, act: Callable[[sa.Connection], Answer]) -> Answer:
        """What `act` returns or raises; it may be called again after a transaction that was rolled back."""
        mine = _Write(act)
        if self._leads_at_once(mine) or mine.is_made_leader():
            self._lead()
        return mine.answer()

    def _leads_at_once(self, mine: "_Write[Any]") -> bool:
        with self._guard:
            self._waiting.append(mine)
            leads, self._has_leader = not self._has_leader, True
            return leads

    def _lead(self) -> None:
        batch = self._take_waiting()
        try:
            with self._writing() as connection:
                batch += self._take_waiting()  # who came while this waited for its turn
                for write in batch:
                    write.do_in(connection)
            _settle(batch, None)
        except self._away as error:
            _settle(batch, error)
        except Exception as error:
            self._do_each_alone(batch) if len(batch) > 1 else _settle(batch, error)
        finally:
            self._hand_over(batch)

    def _do_each_alone(self, batch: "Sequence[_Write[Any]]") -> None:
        for index, write in enumerate(batch):
            try:
                with self._writing() as connection:
                    write.do_in(connection)
                write.error = None
            except self._away as error:
                _settle(batch[index:], error)
                return
            except Exception as error:
                write.error = error

    def _take_waiting(self) -> "list[_Write[Any]]":
        with self._guard:
            taken, self._waiting = self._waiting, []
            return taken

    def _hand_over(self, batch: "Sequence[_Write[Any]]") -> None:
        with self._guard:
            self._has_leader = bool(self._waiting)
            heir = self._waiting[:1]
        for write in heir:
            write.lead()
        for write in batch:
            write.end()


class _Write(Generic[Answer]):
    """What one thread wants written, and how that thread hears of it."""

    def __init__(self, act: Callable[[sa.Connection], Answer]) -> None:
        self._act = act
        self._answer: Answer | None = None
        self.error: Exception | None = InterruptedError("The thread that was to write this ended before it had.")
        self._leads = False
        self._news = threading.Lock()
        self._news.acquire()

    def do_in(self, connection: sa.Connection) -> None:
        self._answer = self._act(connection)

    def lead(self) -> None:
        self._leads = True
        self._news.release()

    def end(self) -> None:
        self._news.release()

    def is_made_leader(self) -> bool:
        """Wait until this is written, or else has to lead."""
        self._news.acquire()
        return self._leads

    def answer(self) -> Answer:
        if self.error is not None:
            raise self.error
        return cast(Answer, self._answer)


def _settle(batch: "Sequence[_Write[Any]]", error: Exception | None) -> None:
    for write in batch:
        write.error = error
