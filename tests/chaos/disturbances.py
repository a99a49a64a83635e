"""What can happen to a deployment; each leaves it as an operator's restarts would."""

import signal
from collections.abc import Callable
from random import Random

from tests.chaos.deployment import LEASE_SECONDS, Deployment

SECONDS_TO_TAKE_OVER = LEASE_SECONDS + 5
"""A standby looks every second; with the default lease of 10 seconds it has the work within 15."""


def kill_worker(deployment: Deployment, random: Random) -> None:
    """A worker process dies, as for want of memory."""
    deployment.until(deployment.workers)
    random.choice(deployment.workers()).kill()


def kill_dispatcher(deployment: Deployment, _random: Random) -> None:
    """The dispatcher at work dies and is started again under its name."""
    leader = _leader(deployment)
    deployment.kill(leader)
    deployment.start(leader)


def kill_api(deployment: Deployment, _random: Random) -> None:
    """The API dies and is started again."""
    deployment.kill("api")
    deployment.start("api")


def kill_database(deployment: Deployment, _random: Random) -> None:
    """PostgreSQL dies with all its connections and is started again."""
    if deployment.server is not None:
        deployment.server.kill()
        deployment.server.start()


def let_standby_take_over(deployment: Deployment, _random: Random) -> None:
    """The dispatcher at work dies and is gone; the standby has the work soon after."""
    leader = _leader(deployment)
    deployment.kill(leader)
    deployment.until(lambda: deployment.leader() not in (leader, None), SECONDS_TO_TAKE_OVER)
    deployment.start(leader)


def freeze_dispatcher(deployment: Deployment, _random: Random) -> None:
    """The dispatcher at work stands still, is replaced, and wakes up with slices in hand that are no longer its own."""
    leader = _leader(deployment)
    deployment.processes[leader].send_signal(signal.SIGSTOP)
    try:
        deployment.until(lambda: deployment.leader() not in (leader, None), SECONDS_TO_TAKE_OVER)
    finally:
        deployment.processes[leader].send_signal(signal.SIGCONT)


DISTURBANCES: tuple[Callable[[Deployment, Random], None], ...] = (
    kill_worker,
    kill_dispatcher,
    kill_api,
    kill_database,
    let_standby_take_over,
    freeze_dispatcher,
)


def _leader(deployment: Deployment) -> str:
    deployment.until(lambda: deployment.leader() is not None)
    leader = deployment.leader()
    assert leader is not None
    return leader
