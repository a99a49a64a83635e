"""What each preset costs, and `docs/preset_costs.md`: `python -m benchmarks.preset_costs [NAME ...]`.

Runs the named presets, or all of them, each on a service of its own with an empty database and no compiled kernels. The
page is written after each; rows of presets that are not measured stay as they are. Measure on a quiet machine.
"""

import argparse
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import httpx2
import psutil

from benchmarks.service_speed import Service
from service.presets import all_presets

PAGE = Path(__file__).parent.parent / "docs" / "preset_costs.md"
WORKERS = 2
IDLE_SECONDS = 0.1
LONGEST_MINUTES = 15.0
"""After that a preset is cancelled; its row says so."""
NAMES = ("preset", "runs", "steps", "seconds", "processor seconds", "stored", "other work")
HEAD = """# What presets cost

Time and disk of each preset, measured by `python -m benchmarks.preset_costs`: two workers that are started already, an
empty database (SQLite), and no kernels compiled before. *Seconds* are from the submission to the last run's end.
*Processor seconds* are those of the workers meanwhile, compiling included. *Stored* is what the database has grown by.
*Other work* is how many cores were busy with something else meanwhile, on average: where it is not near 0, the preset
shared the machine, and is faster alone; its processor seconds differ less.

"""
SUMMARY = "SELECT sum(runs), sum(steps) FROM experiment_summary"
Cells = tuple[str, ...]


def page(rows: dict[str, Cells], machine: str) -> str:
    """The page as Markdown: a row for each preset, dashes where it was not measured."""
    lines = [f"| {' | '.join(NAMES)} |", f"|---|{'---:|' * (len(NAMES) - 1)}"]
    for name in all_presets():
        cells = rows.get(name, ("-",) * (len(NAMES) - 1))
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return f"{HEAD}Machine: {machine}.\n\n" + "\n".join(lines) + "\n"


def written_rows(text: str) -> dict[str, Cells]:
    """The rows of a page, by preset."""
    lines = re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE)
    return {name: tuple(cells.split(" | ")) for name, cells in lines}


def measure(name: str, longest_minutes: float) -> tuple[Cells, str]:
    """The cells of a preset, and the machine that it ran on."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WARP_CACHE_PATH"] = str(Path(folder) / "kernels")
        service = Service(Path(folder), "--workers", str(WORKERS))
        database = Path(folder) / "rankward.db"
        try:
            _wait_until_ready(service)
            before, begun, others_begun = _bytes(database), _processor_seconds(service), _seconds_of_others(service)
            seconds, is_whole = _run(service, name, longest_minutes)
            computed, machine = _processor_seconds(service) - begun, _machine(service)
            others = max(0.0, _seconds_of_others(service) - others_begun) / seconds
        finally:
            service.stop()
        (runs, steps), stored = _read(database, SUMMARY), _bytes(database) - before
    took = f"{seconds:.1f}" if is_whole else f"> {seconds:.0f}, cancelled"
    return (str(runs), f"{steps:,}", took, f"{computed:.1f}", f"{stored / 1e6:.2f} MB", f"{others:.1f}"), machine


def _run(service: Service, name: str, longest_minutes: float) -> tuple[float, bool]:
    """Seconds until everything is stored, and whether the preset came to its end in that time."""
    began = time.perf_counter()
    posted = service.client.submit(service.client.preset(name))
    while service.client.experiment(posted["id"])["status"] in ("queued", "running"):
        if time.perf_counter() - began > longest_minutes * 60:
            service.client.cancel(posted["id"])
            return time.perf_counter() - began, False
        time.sleep(0.05)
    return time.perf_counter() - began, True


def _machine(service: Service) -> str:
    """Processor, cores and versions, as some run of the service was computed with them."""
    ran = next((run for run in service.client.runs() if run["computed_with"]), None)
    with_ = ran["computed_with"] if ran else {}
    processor = f"{with_.get('processor', 'unknown')} ({with_.get('instructions', '-')}), {os.cpu_count()} cores"
    versions = ", ".join(f"{name} {with_.get(name, '-')}" for name in ("torch", "warp", "python"))
    return f"{processor}; {versions}; {time.strftime('%Y-%m-%d')}"


def _wait_until_ready(service: Service) -> None:
    """A dispatcher works, and its workers have loaded what they need: they are idle for a second."""
    while httpx2.get(f"{service.client.url}/readyz").is_error:
        time.sleep(0.1)
    spent = -1.0
    while (now := _processor_seconds(service)) - spent > IDLE_SECONDS:
        spent = now
        time.sleep(1)


def _processor_seconds(service: Service) -> float:
    """Of the workers since they were started."""
    return _spent(process for part, process in service.processes().items() if part.startswith("worker"))


def _seconds_of_others(service: Service) -> float:
    """Processor seconds of everything on this machine but the service and this process."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system - _spent([psutil.Process(), *service.processes().values()])


def _spent(processes: Iterable[psutil.Process]) -> float:
    return sum(times.user + times.system for times in (process.cpu_times() for process in processes))


def _bytes(database: Path) -> int:
    """Bytes of a database's pages that are in use."""
    pages, free, size = (_read(database, f"PRAGMA {name}")[0] for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def _read(database: Path, statement: str) -> tuple[int, ...]:
    """The first row that a statement finds."""
    connection = sqlite3.connect(database)
    try:
        return connection.execute(statement).fetchone()
    finally:
        connection.close()


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="presets; all of them when left out")
    parser.add_argument("--longest-minutes", type=float, default=LONGEST_MINUTES, help="cancel what takes longer")
    parsed = parser.parse_args()
    if unknown := set(parsed.names) - set(all_presets()):
        parser.error(f"there is no preset {', '.join(sorted(unknown))}")
    rows = written_rows(PAGE.read_text()) if PAGE.exists() else {}
    for name in parsed.names or all_presets():
        rows[name], machine = measure(name, parsed.longest_minutes)
        print(f"{name}: {dict(zip(NAMES[1:], rows[name], strict=True))}", flush=True)
        PAGE.write_text(page(rows, machine))


if __name__ == "__main__":
    main()
