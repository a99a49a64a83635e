"""Writers of a process take turns in the order in which they came, and none waits for ever."""

import threading
import time

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.store.turns import Turns


def started(line, act):
    """A thread that stands in line behind all earlier ones."""
    thread = threading.Thread(target=act)
    before = len(line._line)
    thread.start()
    while len(line._line) == before:
        time.sleep(0.001)
    return thread


def test_the_first_to_come_is_the_first_to_write():
    turns, served = Turns(30), []

    def write(number):
        with turns:
            served.append(number)

    with turns:
        threads = [started(turns, lambda number=number: write(number)) for number in range(20)]
        assert not served
    for thread in threads:
        thread.join(10)
    assert served == list(range(20))


def test_a_writer_that_loses_patience_leaves_the_line_to_the_others():
    turns = Turns(0.05)
    with turns:
        with pytest.raises(PoolTimeout, match=r"0\.05 s"), turns:
            pass
        assert len(turns._line) == 1
    with turns:
        assert len(turns._line) == 1
    assert not turns._line


def test_a_writer_that_fails_gives_its_turn_away():
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError), turns:
        raise ZeroDivisionError
    with turns:
        pass
