"""The demonstration: a preset over HTTP, watched, tabulated, drawn."""

from pathlib import Path

from rich.console import Console

from service.cli.show import runs_table, watch
from service.client import Rankward
from service.settings import Settings


def show_first_look(url: str, settings: Settings, figure: Path) -> None:
    """Run the preset first_look on the service at `url` and say what came out and where to look next."""
    console, client = Console(highlight=False, soft_wrap=True), Rankward(url)
    console.print(f"Rankward listens on {url}; posting the preset first_look to it.")
    experiment = watch(client, client.submit(client.preset("first_look")))
    runs = list(client.runs(experiment["id"]))
    console.print(runs_table(runs))
    console.print("Every run raised the unobserved entry, and with it every norm, while the effective rank fell to 1.")
    figure.write_bytes(client.figure(experiment["id"], "unobserved_entry"))
    database = settings.data_dir / "rankward.db"
    console.print(f"""
The figure of |unobserved entry| against loss: [bold]{figure}[/]
All points are in SQL:   sqlite3 {database} "select count(*), min(loss) from trajectory_points"
Start the service:       make serve
Ask it over HTTP:        curl http://127.0.0.1:8000/v1/runs/{runs[-1]["id"]}/trajectory
Read what it can do:     http://127.0.0.1:8000/docs""")
