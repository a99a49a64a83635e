"""Shared transactions for small writes of many threads; writes that arrive during one are in the next."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

Answer = TypeVar("Answer")
OpenTransaction = Callable[[], AbstractContextManager[sa.Connection]]


class SharedWrites:
    """Group commit: all waiting writes share the cost of begin, commit and waiting for other processes.

    The first thread leads: it begins a transaction, does all writes that wait by then in order of arrival, and commits.
    It then hands the lead to the first thread that arrived meanwhile. No thread gets an answer before the commit of its
    write. If one of several writes fails, all are rolled back and each is repeated in a separate transaction.

    Args:
        writing: opens a transaction.
        away: errors of an unavailable database; all waiting threads get the error, without another try.
    """

    def __init__(self, writing: OpenTransaction, away: tuple[type[Exception], ...]) -> None:
        self._writing, self._away = writing, away
        self._guard = threading.Lock()
        self._waiting: list[_Write[Any]] = []
        self._has_leader = False

    def write(self, act: Callable[[sa.Connection], Answer]) -> Answer:
        """Return or raise the result of `act`, which may be called again after a rollback."""
        write = _Write(act)
        if self._leads_at_once(write) or write.is_made_leader():
            self._lead()
        return write.answer()

    def _leads_at_once(self, write: "_Write[Any]") -> bool:
        with self._guard:
            self._waiting.append(write)
            leads, self._has_leader = not self._has_leader, True
            return leads

    def _lead(self) -> None:
        batch = self._take_waiting()
        try:
            with self._writing() as connection:
                batch += self._take_waiting()  # writes that arrived while this thread waited for its turn
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
    """The write of a thread, with its answer and a lock that wakes the thread."""

    def __init__(self, act: Callable[[sa.Connection], Answer]) -> None:
        self._act = act
        self._answer: Answer | None = None
        self.error: Exception | None = InterruptedError("The thread that was to write this ended before it had.")
        self._leads = False
        self._wake = threading.Lock()
        self._wake.acquire()

    def do_in(self, connection: sa.Connection) -> None:
        self._answer = self._act(connection)

    def lead(self) -> None:
        self._leads = True
        self._wake.release()

    def end(self) -> None:
        self._wake.release()

    def is_made_leader(self) -> bool:
        """Wait until the write is done (False) or its thread has to lead (True)."""
        self._wake.acquire()
        return self._leads

    def answer(self) -> Answer:
        if self.error is not None:
            raise self.error
        return cast(Answer, self._answer)


def _settle(batch: "Sequence[_Write[Any]]", error: Exception | None) -> None:
    for write in batch:
        write.error = error
