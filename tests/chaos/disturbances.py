"""What can happen to a deployment; each leaves it as an operator's restarts would."""

import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from random import Random

import psutil

from tests.chaos.deployment import Deployment

SECONDS_TO_TAKE_OVER = 15.0
"""The promise, for the default lease of 10 seconds; here it is shorter."""

SECONDS_OF_SILENCE = 3.0
"""For which a process stands still that nobody replaces."""


def kill_worker(deployment: Deployment, random: Random) -> None:
    """A worker process dies, as for want of memory."""
    deployment.until(deployment.workers)
    with suppress(psutil.NoSuchProcess):  # of a dispatcher that fell before: it ends on its own
        random.choice(deployment.workers()).kill()


def freeze_worker(deployment: Deployment, random: Random) -> None:
    """A worker process stands still for a while, and goes on."""
    deployment.until(deployment.workers)
    worker = random.choice(deployment.workers())
    with suppress(psutil.NoSuchProcess):  # it may be replaced meanwhile
        worker.suspend()
        time.sleep(SECONDS_OF_SILENCE)
        worker.resume()


def kill_dispatcher(deployment: Deployment, random: Random) -> None:
    """A dispatcher at work dies and is started again under its name."""
    role = _dispatcher(deployment, random)
    deployment.kill(role)
    deployment.start(role)


def kill_api(deployment: Deployment, _random: Random) -> None:
    """The API dies and is started again."""
    deployment.kill("api")
    deployment.start("api")


def freeze_api(deployment: Deployment, _random: Random) -> None:
    """The API stands still for a while, maybe in the middle of a write, and goes on."""
    deployment.processes["api"].send_signal(signal.SIGSTOP)
    time.sleep(SECONDS_OF_SILENCE)
    deployment.processes["api"].send_signal(signal.SIGCONT)


def kill_database(deployment: Deployment, _random: Random) -> None:
    """PostgreSQL dies with all its connections and is started again."""
    if deployment.server is not None:
        deployment.server.kill()
        deployment.server.start()


def lose_dispatcher(deployment: Deployment, random: Random) -> None:
    """A dispatcher at work dies and is gone; the others have its runs soon after."""
    deployment.until(deployment.is_complete)
    role = _dispatcher(deployment, random)
    deployment.held_down.add(role)
    with _others_take_over(deployment, role):
        deployment.kill(role)
    deployment.held_down.remove(role)
    deployment.start(role)


def freeze_dispatcher(deployment: Deployment, random: Random) -> None:
    """A dispatcher at work stands still, is replaced, and wakes up with slices in hand that are no longer its own."""
    deployment.until(deployment.is_complete)
    role = _dispatcher(deployment, random)
    try:
        with _others_take_over(deployment, role):
            deployment.processes[role].send_signal(signal.SIGSTOP)
    finally:
        deployment.processes[role].send_signal(signal.SIGCONT)


DISTURBANCES: tuple[Callable[[Deployment, Random], None], ...] = (
    kill_worker,
    freeze_worker,
    kill_dispatcher,
    kill_api,
    freeze_api,
    kill_database,
    lose_dispatcher,
    freeze_dispatcher,
)


def _dispatcher(deployment: Deployment, random: Random) -> str:
    """One of those at work, with runs in hand where any has some."""
    deployment.until(deployment.at_work)
    names = deployment.at_work()
    busy = [name for name in names if deployment.has_runs(deployment.slices_of(name))]
    return random.choice(busy or names)


@contextmanager
def _others_take_over(deployment: Deployment, role: str) -> Generator[None]:
    """Wait until other dispatchers are at work, and no run is in a slice of a dispatcher that is gone."""
    slices = deployment.slices_of(role)
    yield

    def holds() -> bool:
        return bool(set(deployment.at_work()) - {role}) and not deployment.has_runs(slices)

    deployment.until(holds, SECONDS_TO_TAKE_OVER)
