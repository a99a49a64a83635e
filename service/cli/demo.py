"""The demonstration: a preset over HTTP, watched, tabulated, drawn."""

from pathlib import Path

from service.cli.show import make_console, runs_table, watch
from service.client import Rankward
from service.settings import Settings


def show_first_look(url: str, settings: Settings, figure: Path) -> None:
    """Run the preset first_look on the service at `url` and say what came out and where to look next."""
    console = make_console()
    console.print(f"Rankward listens on {url}; posting the preset first_look to it.")
    with Rankward(url) as client:
        experiment = watch(client, client.submit(client.preset("first_look")))
        runs = list(client.runs(experiment["id"]))
        figure.write_bytes(client.figure(experiment["id"], "unobserved_entry"))
    console.print(runs_table(runs))
    database = settings.data_dir / "rankward.db"
    console.print(f"""
The figure of |unobserved entry| against loss: [bold]{figure}[/]
All points are in SQL:   sqlite3 {database} "select count(*), min(loss) from trajectory_points"
Start the service:       make serve
Ask it over HTTP:        curl http://127.0.0.1:8000/v1/runs/{runs[-1]["id"]}/trajectory
Read what it can do:     http://127.0.0.1:8000/docs""")
