"""DuckDB on the Parquet stream: the least effective rank of every run, by depth.

Usage: RANKWARD_URL=http://127.0.0.1:8000 python examples/duckdb_query.py
"""

import os
import tempfile
from pathlib import Path

import duckdb
from rankward import Rankward

with (
    tempfile.TemporaryDirectory() as folder,
    Rankward(os.environ.get("RANKWARD_URL", "http://127.0.0.1:8000")) as rankward,
):
    points, runs = Path(folder) / "points.parquet", Path(folder) / "runs.parquet"
    rankward.export("trajectories", "parquet", points, metrics="effective_rank")
    rankward.export("runs", "parquet", runs, fields="id,model.depth")
    print(
        duckdb.sql(f"""
            SELECT "model.depth" AS depth, count(DISTINCT run_id) AS runs, min(effective_rank) AS least_effective_rank
            FROM '{points}' JOIN '{runs}' ON run_id = id
            GROUP BY depth ORDER BY depth
        """)
    )
