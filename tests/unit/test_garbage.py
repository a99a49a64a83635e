"""The garbage collector while a process loads, and afterwards."""

import gc
import subprocess
import sys
import threading
import weakref

import pytest

from service.processes.garbage import collector_paused, loading


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()
    gc.freeze()  # as tests/conftest.py leaves it


class Cyclic:
    """An object that only a collection removes."""

    def __init__(self):
        self.itself = self


def test_what_is_made_while_loading_is_never_looked_at_and_garbage_of_before_is_gone():
    before = weakref.ref(Cyclic())
    with loading():
        assert before() is None
        made = [[] for _ in range(100)]
        during = weakref.ref(Cyclic())
    assert gc.isenabled()
    gc.collect()
    assert during() is not None
    looked_at = {id(thing) for thing in gc.get_objects()}
    assert all(id(thing) not in looked_at for thing in made)


def test_a_failed_load_leaves_the_collector_as_it_was():
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_last_pause_to_end_ends_all():
    begun, over = threading.Event(), threading.Event()

    def pause():
        with collector_paused():
            begun.set()
            over.wait(10)

    other = threading.Thread(target=pause)
    other.start()
    begun.wait(10)
    with loading():
        pass
    assert not gc.isenabled()
    over.set()
    other.join()
    assert gc.isenabled()


@pytest.mark.processes
def test_a_worker_loads_the_laboratory_by_its_preload():
    """By the import itself: dask passes over errors of `dask_setup`."""
    script = (
        "import gc, sys, service.dispatch.loading as module\n"
        "assert 'workers.lab.execution' in sys.modules and not hasattr(module, 'dask_setup')\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 100_000"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
