"""How far each descent of an experiment is from the gradient flow that it follows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from service.labels import model_label, start_label
from service.store.database import Database
from service.store.trajectories import read_points
from workers.columns import metrics_of
from workers.specs import RunSpec

Row = Mapping[Any, Any]
Array = npt.NDArray[np.float64]

MEASURES = {"entries": "tracked entries", "unobserved_entry": "unobserved entry"}
"""What distances can be taken of, the first that all runs have recorded being taken."""

_OF_A_FLOW = ("problem", "model", "init", "loss", "seed")
"""Parts of a spec that a descent shares with the flow it follows."""

EARLIEST = 1e-3
"""Times are interpolated on a logarithmic scale from here on."""


def measure_of(rows: Sequence[Row]) -> str | None:
    """The column that distances are taken of, None where there is none that all runs have recorded."""
    specs = [RunSpec.model_validate(row["spec"]) for row in rows]
    for name in MEASURES:
        everywhere = all(name in metrics_of(spec) for spec in specs)
        if everywhere and len({spec.record.entries for spec in specs}) == 1:
            return name
    return None


def distances(database: Database, rows: Sequence[Row], measure: str) -> Iterator[dict[str, Any]]:
    """Each descent that has a flow to follow, with its distance at the last time that both have recorded."""
    flows = {_followed(row): row for row in rows if _is_flow(row)}
    known: dict[str, tuple[Array, Array]] = {}
    for row in rows:
        start = _followed(row)
        if _is_flow(row) or start not in flows:
            continue
        if start not in known:
            known[start] = _read(database, flows[start], measure)
        distance = _distance(known[start], _read(database, row, measure))
        if distance is not None and np.isfinite(distance) and distance > 0:
            yield {
                "panel": (row["depth"] or 0, model_label(row["spec"])),
                "label": start_label(row["spec"]),
                "learning_rate": row["learning_rate"],
                "distance": distance,
            }


def _is_flow(row: Row) -> bool:
    return row["optimizer_kind"] == "gradient_flow"


def _followed(row: Row) -> str:
    return orjson.dumps({name: row["spec"][name] for name in _OF_A_FLOW}, option=orjson.OPT_SORT_KEYS).decode()


def _read(database: Database, row: Row, measure: str) -> tuple[Array, Array]:
    """Times (points,) and values (points, width) of a run."""
    with database.reading() as connection:
        columns = read_points(connection, row["id"], ["time", measure], None, None)
    vectors = [value if isinstance(value, list) else [np.nan if value is None else value] for value in columns[measure]]
    return np.array(columns["time"], dtype=float), np.array([[float(value) for value in one] for one in vectors])


def _distance(flow: tuple[Array, Array], descent: tuple[Array, Array]) -> float | None:
    """||descent - flow|| at the descent's last point that the flow has come to, None where there is none."""
    from scipy.interpolate import CubicSpline  # loaded by the first figure: an API that starts has no use for it

    times, values = flow
    if len(times) < 2 or not len(descent[0]):
        return None
    reached = descent[0] <= times[-1] * (1 + 1e-9)
    last = int(np.count_nonzero(reached)) - 1
    time = min(float(descent[0][last]), float(times[-1]))
    there = CubicSpline(np.log1p(times / EARLIEST), values)(np.log1p(time / EARLIEST))
    return float(np.linalg.norm(descent[1][last] - there))
