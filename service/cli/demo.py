"""The demonstration: presets over HTTP, watched, tabulated, drawn."""

from pathlib import Path

from rich.console import Console

from service.cli.show import print_groups, print_runs
from service.cli.tables import make_console
from service.cli.waiting import watch
from service.client.api import Json, Rankward
from service.settings import Settings


def show_what_it_does(url: str, settings: Settings, directory: Path) -> None:
    """Run first_look, then figure 1 of the paper, on the service at `url`; say what came out and where to look next."""
    console = make_console()
    console.print(f"Rankward listens on {url}.")
    with Rankward(url) as client:
        looked = _run(client, console, "first_look", directory)
        print_runs(looked)
        drawn = _run(client, console, "figure_1", directory)
        print_groups(drawn)
    _say_where_to_look(console, settings, directory, drawn[-1])


def _run(client: Rankward, console: Console, preset: str, directory: Path) -> list[Json]:
    console.print(f"Posting the preset {preset} to it.")
    experiment = watch(client, client.submit(client.preset(preset)))
    (directory / f"{preset}.png").write_bytes(client.figure(experiment["id"], "unobserved_entry"))
    return list(client.runs(experiment["id"]))


def _say_where_to_look(console: Console, settings: Settings, directory: Path, run: Json) -> None:
    database = settings.data_dir / "rankward.db"
    console.print(f"""
The figures:             {directory / "figure_1.png"}, {directory / "first_look.png"}
All points are in SQL:   sqlite3 {database} "select count(*), min(loss) from trajectory_points"
Start the service:       make serve
Ask it over HTTP:        curl http://127.0.0.1:8000/v1/runs/{run["id"]}/trajectory
Read what it can do:     http://127.0.0.1:8000/docs""")
