"""polars on the Arrow tables of the client: how far each depth has come at each power of ten of the loss.

Usage: RANKWARD_URL=http://127.0.0.1:8000 python examples/polars_query.py
"""

import os

import polars as pl
from rankward import Rankward

with Rankward(os.environ.get("RANKWARD_URL", "http://127.0.0.1:8000")) as rankward:
    where = "problem.kind = 'perturbed_2x2' AND model.depth >= 2"
    points = pl.from_arrow(rankward.trajectories(where, ["loss", "unobserved_entry"]))
    runs = pl.from_arrow(rankward.run_table(where, ["id", "model.depth"]))
print(
    points.lazy()
    .filter(pl.col("loss") > 0)
    .join(runs.lazy(), left_on="run_id", right_on="id")
    .with_columns(pl.col("loss").log10().ceil().cast(pl.Int32).alias("log10_loss"))
    .group_by("model.depth", "log10_loss")
    .agg(pl.col("run_id").n_unique().alias("runs"), pl.col("unobserved_entry").abs().median())
    .sort("model.depth", "log10_loss", descending=[False, True])
    .collect()
)
