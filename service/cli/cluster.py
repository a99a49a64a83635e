"""Commands for a cluster of one's own: scheduler, workers, certificates."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.roles import settings_of
from service.processes.garbage import loading

Hosts = Annotated[
    list[str], typer.Option("--host", help="Name or address of a machine of the cluster; may be repeated.")
]


def scheduler(
    host: Annotated[str, typer.Option(help="Address to listen on; beyond the loopback with certificates only.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8786,
) -> None:
    """Start the dask scheduler of a cluster (certificates from RANKWARD_TLS_CA, _CERT and _KEY)."""
    with loading():
        from service.dispatch.nodes import run_scheduler

    run_scheduler(settings_of(), host, port)


def worker(
    scheduler: Annotated[
        str, typer.Option(envvar="RANKWARD_SCHEDULER", help="Address of the scheduler, tls://host:8786.")
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Worker processes.", show_default="one per GPU, else per core")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address under which others reach this machine.", show_default="found out")
    ] = None,
) -> None:
    """Start the workers of this machine: they compute slices for the scheduler's cluster."""
    with loading():
        from service.dispatch.nodes import run_workers

    run_workers(settings_of(scheduler=scheduler, workers=workers), host)


def certificates(
    directory: Annotated[Path, typer.Argument(help="Where to write them.")],
    host: Hosts = ["localhost", "127.0.0.1"],  # noqa: B006 (typer copies it)
    days: Annotated[int, typer.Option(min=1, help="How long they hold.")] = 365,
    keep: Annotated[bool, typer.Option("--keep", help="Leave a whole set that is there as it is.")] = False,
) -> None:
    """Make an authority and certificates for the scheduler, the workers and the dispatcher of one cluster."""
    from service.processes.certificates import make_certificates

    for path in make_certificates(directory, host, days, keep):
        print(path)
