"""The read-only views for SQL clients: public ids, names as in specs, the metrics of the tables.

A revision says which columns its views have (`VIEWS` in its file) and never changes that again, so that a fresh
database gets at every revision the views of that revision, whatever was added later. A revision that changes a column
under a view does so with the views away: `with replaced_views(BEFORE, VIEWS): ...`.
"""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

from alembic import op


@dataclass(frozen=True)
class Views:
    """The views of one revision, by the columns that they have.

    Attributes:
        state: columns of `runs` in `run_summary`, under their names.
        spec: columns of `runs` that hold parts of the spec, and their names in `run_summary`.
        summary: columns of `run_summaries` in `run_summary`.
        points: columns of `trajectory_points` in `trajectory`.
        statuses: the statuses of runs that `experiment_summary` counts.
        naturals: columns of `runs` with natural numbers of any size, which SQLite holds as blobs where they are large.
    """

    state: tuple[str, ...]
    spec: Mapping[str, str]
    summary: tuple[str, ...]
    points: tuple[str, ...]
    statuses: tuple[str, ...]
    naturals: tuple[str, ...] = ()

    def texts(self) -> dict[str, str]:
        """The query of each view by its name."""
        return {
            "run_summary": self._run_summary(),
            "trajectory": self._trajectory(),
            "experiment_summary": self._experiment_summary(),
        }

    def _run_summary(self) -> str:
        columns = [
            "r.public_id AS run_id, e.public_id AS experiment_id, e.name AS experiment_name, e.tags AS tags",
            'r."index" AS run_index',
            *(f"r.{name} AS {name}" for name in self.state),
            "r.compute_seconds AS compute_seconds",
            *(f"{self._shown(column)} AS {name}" for column, name in self.spec.items()),
            *(f's."{name}" AS "{name}"' for name in self.summary),
        ]
        return _select(columns, f"{_RUNS} LEFT JOIN run_summaries s ON s.run_id = r.id")

    def _shown(self, column: str) -> str:
        if column not in self.naturals or op.get_bind().dialect.name != "sqlite":
            return f'r."{column}"'
        digits = f'CAST(substr(r."{column}", 6) AS TEXT)'  # behind five digits that count them
        return f'CASE typeof(r."{column}") WHEN \'blob\' THEN {digits} ELSE r."{column}" END'

    def _trajectory(self) -> str:
        columns = [
            "r.public_id AS run_id, e.public_id AS experiment_id",
            *(f'p."{name}" AS "{name}"' for name in self.points),
        ]
        return _select(columns, f"{_RUNS} JOIN trajectory_points p ON p.run_id = r.id")

    def _experiment_summary(self) -> str:
        columns = [
            "e.public_id AS experiment_id, e.name AS name, e.tags AS tags, e.created_at AS created_at",
            "COUNT(r.id) AS runs",
            *(f"SUM(CASE WHEN r.status = '{status}' THEN 1 ELSE 0 END) AS {status}" for status in self.statuses),
            "MIN(r.started_at) AS started_at, MAX(r.finished_at) AS finished_at",
            "SUM(r.step) AS steps, SUM(r.compute_seconds) AS compute_seconds",
            "MIN(s.loss) AS least_loss, MAX(s.loss) AS greatest_loss",
        ]
        return _select(
            columns,
            "FROM experiments e LEFT JOIN runs r ON r.experiment_id = e.id "
            "LEFT JOIN run_summaries s ON s.run_id = r.id GROUP BY e.id",
        )


_RUNS = "FROM runs r JOIN experiments e ON e.id = r.experiment_id"


def views_of(file: str) -> Views:
    """The views that a revision left, by the name of its file, such as "0007_views"."""
    return import_module(f"migrations.versions.{file}").VIEWS


def create_views(views: Views) -> None:
    """Create the views."""
    for name, text in views.texts().items():
        op.execute(f"CREATE VIEW {name} AS {text}")


def drop_views(views: Views) -> None:
    """Drop the views."""
    for name in views.texts():
        op.execute(f"DROP VIEW {name}")


@contextmanager
def replaced_views(before: Views, after: Views) -> Generator[None]:
    """No views while the tables are changed, and other ones from then on."""
    drop_views(before)
    yield
    create_views(after)


def _select(columns: Iterable[str], rest: str) -> str:
    return f"SELECT {', '.join(columns)} {rest}"
