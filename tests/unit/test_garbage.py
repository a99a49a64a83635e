"""The garbage collector while a process loads, and afterwards."""

import gc
import subprocess
import sys
import threading

import pytest

from service.processes.garbage import collector_paused, loading


@pytest.fixture(autouse=True)
def thawed():
    yield
    gc.unfreeze()
    gc.freeze()  # as tests/conftest.py leaves it


def test_what_is_made_while_loading_is_never_looked_at_and_garbage_of_before_is_gone():
    gc.unfreeze()
    cycle = []
    cycle.append(cycle)
    del cycle
    with loading():
        assert not gc.isenabled()
        made = [[] for _ in range(100)]
    assert gc.isenabled()
    assert gc.get_freeze_count() > len(made)
    known = {id(known) for known in gc.get_objects()}
    assert all(id(one) not in known for one in made)


def test_a_failed_load_leaves_the_collector_as_it_was():
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


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
