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
        shown: an SQL condition on the experiments `e` that the views show; all by default.
        has_specs: whether there are views of specs and of their long parts.
    """

    state: tuple[str, ...]
    spec: Mapping[str, str]
    summary: tuple[str, ...]
    points: tuple[str, ...]
    statuses: tuple[str, ...]
    naturals: tuple[str, ...] = ()
    shown: str = ""
    has_specs: bool = False

    def texts(self, dialect: str) -> dict[str, str]:
        """The query of each view by its name, for a kind of database by SQLAlchemy's name."""
        return {
            "run_summary": self._run_summary(dialect),
            "trajectory": self._trajectory(),
            "experiment_summary": self._experiment_summary(),
            **({"run_spec": self._run_spec(), "spec_part": self._spec_part(dialect)} if self.has_specs else {}),
        }

    @property
    def _where(self) -> str:
        return f" WHERE {self.shown}" if self.shown else ""

    def _run_summary(self, dialect: str) -> str:
        columns = [
            "r.public_id AS run_id, e.public_id AS experiment_id, e.name AS experiment_name, e.tags AS tags",
            'r."index" AS run_index',
            *(f"r.{name} AS {name}" for name in self.state),
            "r.compute_seconds AS compute_seconds",
            *(f"{self._shown(column, dialect)} AS {name}" for column, name in self.spec.items()),
            *(f's."{name}" AS "{name}"' for name in self.summary),
        ]
        return _select(columns, f"{_RUNS} LEFT JOIN run_summaries s ON s.run_id = r.id{self._where}")

    def _shown(self, column: str, dialect: str) -> str:
        if column not in self.naturals or dialect != "sqlite":
            return f'r."{column}"'
        digits = f'CAST(substr(r."{column}", 6) AS TEXT)'  # behind five digits that count them
        return f'CASE typeof(r."{column}") WHEN \'blob\' THEN {digits} ELSE r."{column}" END'

    def _trajectory(self) -> str:
        columns = [
            "r.public_id AS run_id, e.public_id AS experiment_id",
            *(f'p."{name}" AS "{name}"' for name in self.points),
        ]
        return _select(columns, f"{_RUNS} JOIN trajectory_points p ON p.run_id = r.id{self._where}")

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
            f"LEFT JOIN run_summaries s ON s.run_id = r.id{self._where} GROUP BY e.id",
        )

    def _run_spec(self) -> str:
        columns = ["r.public_id AS run_id, e.public_id AS experiment_id", "r.spec AS spec"]
        return _select(columns, f"{_RUNS}{self._where}")

    def _spec_part(self, dialect: str) -> str:
        columns = [
            "r.public_id AS run_id, e.public_id AS experiment_id",
            "place.key AS pointer, p.bytes AS bytes, p.value AS value",
        ]
        places = "json_each(r.parts)" if dialect == "sqlite" else "LATERAL json_each_text(r.parts)"
        part = "JOIN spec_parts p ON p.experiment_id = r.experiment_id AND p.digest = place.value"
        return _select(columns, f"{_RUNS} CROSS JOIN {places} AS place {part}{self._where}")


_RUNS = "FROM runs r JOIN experiments e ON e.id = r.experiment_id"


def views_of(file: str) -> Views:
    """The views that a revision left, by the name of its file, such as "0007_views"."""
    return import_module(f"migrations.versions.{file}").VIEWS


def create_views(views: Views) -> None:
    """Create the views."""
    for name, text in views.texts(op.get_bind().dialect.name).items():
        op.execute(f"CREATE VIEW {name} AS {text}")


def drop_views(views: Views) -> None:
    """Drop the views."""
    for name in views.texts(op.get_bind().dialect.name):
        op.execute(f"DROP VIEW {name}")


@contextmanager
def replaced_views(before: Views, after: Views) -> Generator[None]:
    """No views while the tables are changed, and other ones from then on."""
    drop_views(before)
    yield
    create_views(after)


def _select(columns: Iterable[str], rest: str) -> str:
    return f"SELECT {', '.join(columns)} {rest}"
