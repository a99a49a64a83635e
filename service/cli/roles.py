"""Commands that run the service: all of it, or one role."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.tables import make_console
from service.errors import RankwardError
from service.processes.garbage import loading
from service.processes.signals import on_stop_signals
from service.values.visible import visible

if TYPE_CHECKING:
    from service.settings import Settings

DataDir = Annotated[Path | None, typer.Option(help="Where the database file lives.", show_default=".rankward")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.", show_default="8000")]
Workers = Annotated[int | None, typer.Option(help="Worker processes.", show_default="one per GPU, else per core")]
Name = Annotated[str | None, typer.Option(help="Kept over restarts: the lease of the one before is taken at once.")]
Figures = Annotated[Path, typer.Option(help="Where to write the figures.")]

SECONDS_BETWEEN_CHECKS = 0.5


def serve(data_dir: DataDir = None, host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Start everything on this machine: API, dispatcher, worker processes, database."""
    with loading():
        from service.processes import logs
        from service.store.database import shown_url
        from service.supervisor import Supervisor

    logs.configure("serve")
    supervisor = Supervisor(settings_of(data_dir=data_dir, host=host, port=port, workers=workers))
    stop = _stop_on_signals(supervisor.abandon)
    with supervisor:
        settings = supervisor.settings
        console = make_console()
        url = f"{supervisor.url}{settings.root_path}"
        console.print(f"Rankward listens on {url} (documentation at {url}/docs)")
        data = visible(shown_url(settings.url))
        console.print(f"Data: {data}; workers: {_workers(settings)}; Ctrl-C ends it, a second one at once.")
        while not stop.wait(SECONDS_BETWEEN_CHECKS):
            supervisor.check()


def api(data_dir: DataDir = None, host: Host = None, port: Port = None) -> None:
    """Start the API alone, on a migrated database."""
    with loading():
        from service.api_process import run_api

    run_api(settings_of(data_dir=data_dir, host=host, port=port))


def dispatcher(data_dir: DataDir = None, workers: Workers = None, name: Name = None) -> None:
    """Start a dispatcher, with workers of its own or those behind RANKWARD_SCHEDULER; several share the work."""
    with loading():
        from service.dispatch.process import run_dispatcher

    run_dispatcher(settings_of(data_dir=data_dir, workers=workers, dispatcher_name=name))


def migrate(data_dir: DataDir = None) -> None:
    """Bring the database to the newest schema (`serve` does this by itself)."""
    from service.processes.private_files import make_private
    from service.store import migrate as migrations
    from service.store.sqlite import database_file

    settings = settings_of(data_dir=data_dir)
    make_private(settings.data_dir, database_file(settings.url))
    migrations.migrate(settings.url)


def compact(data_dir: DataDir = None) -> None:
    """Rewrite a stopped service's SQLite file without its free space; from then on it shrinks by itself."""
    from service.processes.locks import hold
    from service.store import space

    settings = settings_of(data_dir=data_dir)
    lock = hold(settings.data_dir, "serve", 0)
    try:
        sizes = space.compact(settings.url)
    finally:
        lock.release()
    make_console().print(f"{sizes.before:,} bytes before, {sizes.after:,} after")


def demo(data_dir: DataDir = None, figures: Figures = Path()) -> None:
    """Start a service, run the presets first_look and figure_1 over HTTP, show what came out, stop."""
    with loading():
        from service.cli.demo import show_what_it_does
        from service.processes import logs
        from service.supervisor import Supervisor

    logs.configure("demo")
    settings = settings_of(data_dir=data_dir, port=0)
    with Supervisor(settings) as supervisor:
        show_what_it_does(supervisor.url, settings, figures)


class InvalidSetting(RankwardError):
    """A setting is not valid"""


def settings_of(**given: object) -> "Settings":
    """The settings of the environment, changed by the options that were given; raises InvalidSetting."""
    from pydantic import ValidationError

    from service.settings import Settings

    try:
        return Settings.model_validate({**Settings().model_dump(), **{k: v for k, v in given.items() if v is not None}})
    except ValidationError as error:
        mistakes = (f"{mistake['loc'][0]}: {mistake['msg']}" for mistake in error.errors())
        raise InvalidSetting("; ".join(mistakes)) from None


def _workers(settings: "Settings") -> str:
    """Where the computing happens, in a few words."""
    from service.processes.placement import places

    return str(len(places(settings.workers))) if settings.scheduler is None else f"behind {settings.scheduler}"


def _stop_on_signals(abandon: Callable[[], None]) -> threading.Event:
    stop = threading.Event()
    on_stop_signals(stop.set, abandon)
    return stop
