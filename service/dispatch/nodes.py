"""The nodes of a dask cluster that the user runs: a scheduler, or the workers of one machine."""

import asyncio
import signal
import socket
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from distributed import Nanny, Scheduler, Status
from distributed.security import Security

from service.dispatch.configuration import ONE_THREAD, PRIVATE_PAGES, configure_dask, security_of
from service.dispatch.scheduling import SCHEDULER
from service.processes import logs
from service.processes.caches import lead_caches
from service.processes.placement import places
from service.settings import Settings

SECONDS_BETWEEN_TRIES = 1.0
SECONDS_BETWEEN_SIGNS = 5.0
"""How often the workers' file of life is renewed."""

_log = structlog.get_logger(__name__)


def run_scheduler(settings: Settings, host: str, port: int) -> None:
    """Run a scheduler until SIGINT or SIGTERM, with mutual TLS if there are certificates, else on the loopback only."""
    logs.configure("scheduler")
    configure_dask(settings)
    # dask looks for a way to the internet, which a cluster's network need not have, and then takes the host's name.
    warnings.filterwarnings("ignore", message="Couldn't detect a suitable IP address")
    protocol = "tcp" if settings.tls_cert is None else "tls"
    security = security_of(settings, f"{protocol}://{f'[{host}]' if ':' in host else host}:{port}")
    asyncio.run(_schedule(security, host=host, port=port, protocol=protocol))


def run_workers(settings: Settings, host: str | None) -> None:
    """Run one worker per GPU, or per core without GPUs, until SIGINT or SIGTERM.

    Args:
        host: address at which the scheduler and the other workers reach this machine; None: the one from which this
            machine reaches the scheduler.
    """
    assert settings.scheduler is not None
    logs.configure("worker")
    lead_caches(settings.data_dir)
    configure_dask(settings)
    security = security_of(settings, settings.scheduler)
    host = host or address_towards(settings.scheduler)
    work = _work(settings.scheduler, places(settings.workers), settings.alive_file, security=security, host=host)
    asyncio.run(work)


def address_towards(scheduler: str) -> str | None:
    """The address of this machine on its way to a scheduler, tls://host:port; None while there is no such way."""
    target = urlsplit(scheduler)
    try:
        ways = socket.getaddrinfo(target.hostname, target.port, type=socket.SOCK_DGRAM)
        with socket.socket(*ways[0][:3]) as probe:
            probe.connect(ways[0][4])  # of datagrams: nothing is sent
            return probe.getsockname()[0]
    except OSError:
        return None


async def _schedule(security: Security, **address: Any) -> None:
    stop = _stop_event()
    async with Scheduler(security=security, **address, **PRIVATE_PAGES, **SCHEDULER) as scheduler:
        _log.info("scheduling", address=scheduler.address)
        await stop.wait()


async def _work(address: str, environments: list[Mapping[str, str]], alive_file: Path | None, **options: Any) -> None:
    stop, working = _stop_event(), set[Nanny]()
    _log.info("working", scheduler=address, workers=len(environments))
    tasks = [_keep_working(stop, working, address, env=env, **options) for env in environments]
    if alive_file is not None:
        tasks.append(_show_life(stop, working, len(environments), alive_file))
    await asyncio.gather(*tasks)


async def _show_life(stop: asyncio.Event, working: set[Nanny], count: int, alive_file: Path) -> None:
    """Renew a file's time for as long as so many workers are up and have the scheduler."""
    while not stop.is_set():
        if sum(nanny.status == Status.running for nanny in working) == count:
            alive_file.touch()
        await _either(stop, asyncio.sleep(SECONDS_BETWEEN_SIGNS))


async def _keep_working(stop: asyncio.Event, working: set[Nanny], address: str, **options: Any) -> None:
    """Run a worker process under a nanny that restarts it; start a new nanny after the scheduler was away."""
    while not stop.is_set():
        try:
            async with Nanny(address, **ONE_THREAD, **options, **PRIVATE_PAGES) as nanny:
                working.add(nanny)
                try:
                    await _either(stop, nanny.finished())
                finally:
                    working.discard(nanny)
                if nanny.status != Status.closed and not stop.is_set():
                    _log.warning("a worker's nanny ended", status=str(nanny.status))
        except Exception as error:  # the scheduler is away or left during a start; dask may raise any error
            _log.warning("no scheduler to work for", scheduler=address, error=repr(error))
        await _either(stop, asyncio.sleep(SECONDS_BETWEEN_TRIES))


async def _either(stop: asyncio.Event, other: Any) -> None:
    """Wait until the stop event or the other awaitable, whichever is first, and cancel the rest."""
    tasks = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(other)]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()


def _stop_event() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
