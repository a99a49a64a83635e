"""Settings, from RANKWARD_* variables; every limit has its name, its default and its meaning here."""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import Field, create_model, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.values.addresses import Network, host_name, is_loopback, networks
from service.values.pools import Pool
from service.values.variables import PREFIX
from workers.runs.metrics import CATALOGUE


class FileSource(PydanticBaseSettingsSource):
    """Settings that stand in files, as containers hand out secrets: RANKWARD_DATABASE_URL_FILE names one."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return Path(path).read_text().strip() if path else None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


def _metric_limits() -> type[BaseSettings]:
    """The limits that metrics bring along, as the catalogue of metrics has them."""
    limits = [metric.limit for metric in CATALOGUE if metric.limit is not None]
    fields: dict[str, Any] = {
        limit.name: (int, Field(default=limit.default, description=limit.description)) for limit in limits
    }
    return create_model("MetricLimits", __base__=BaseSettings, **fields)


class Limits(_metric_limits()):
    """What one request may ask for. A refusal names the limit and the variable that raises it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    max_body_bytes: int = Field(default=16 * 2**20, description="Bytes of one request body.")
    max_archive_bytes: int = Field(default=16 * 2**30, description="Bytes of one archive that is imported.")
    max_runs_per_experiment: int = Field(default=250_000, description="Runs that one sweep may expand to.")
    max_spec_bytes_per_experiment: int = Field(
        default=512 * 2**20, description="Bytes of all specs of one sweep; long parts that runs share count once."
    )
    max_steps_per_run: int = Field(default=10**12, description="Steps that one run may take.")
    max_time_per_run: float = Field(default=1e15, description="Time that one gradient flow may be integrated to.")
    max_flow_numbers: int = Field(default=20_000, description="Entries of all factors of one gradient flow.")
    max_page_bytes: int = Field(
        default=16 * 2**20, ge=1, description="Bytes of specs after which a page of runs ends early, with its cursor."
    )
    max_points_per_run: int = Field(default=100_000, description="Points that one run may record.")
    max_snapshot_bytes: int = Field(
        default=256 * 2**20, description="Bytes of the snapshots of its factors that one run may keep."
    )
    max_product_entries: int = Field(default=250_000, description="Entries (rows x columns) of the factorised matrix.")
    max_trained_numbers: int = Field(default=2_000_000, description="Entries of all factors of one run.")
    max_contraction_multiply_adds: int = Field(
        default=10**10, description="Multiply-adds of one step of a contraction, along its path."
    )
    max_contraction_numbers: int = Field(
        default=50_000_000, description="Numbers between the factors and the product of a contraction, along its path."
    )
    max_constant_numbers: int = Field(default=250_000, description="Numbers in all constants of one contraction.")
    max_start_numbers: int = Field(
        default=100_000, description="Entries of all factors of one run that starts from another run."
    )
    max_semidefinite_size: int = Field(default=300, description="Rows plus columns of a matrix of least nuclear norm.")
    max_solver_bytes: int = Field(
        default=4 * 2**30, description="Bytes of memory that the solver of one baseline may take."
    )
    max_runs_per_figure: int = Field(default=200, ge=1, description="Runs whose points are drawn; of more, a sample.")
    max_summaries_per_figure: int = Field(
        default=10_000, ge=1, description="Runs whose summaries are drawn; of more, a sample."
    )
    max_points_read_per_figure: int = Field(
        default=500_000, ge=1, description="Points that one figure reads; of runs with more, a sample is drawn."
    )
    max_points_drawn_per_figure: int = Field(
        default=100_000, ge=1, description="Points that one figure draws; lines with more are thinned, extremes kept."
    )
    max_experiments_per_figure: int = Field(default=8, description="Experiments that one figure may compare.")
    max_event_streams: int = Field(default=1_000, description="Clients that follow events, in one API process.")
    max_observed_numbers: int = Field(default=20_000_000, description="Numbers that one problem's observations take.")
    max_requests_per_minute: int = Field(
        default=6_000, ge=1, description="Requests of one API key in a minute, to each API process."
    )
    max_unfinished_runs: int = Field(default=1_000_000, ge=0, description="Runs of one API key that are not over.")
    max_unfinished_multiply_adds: float = Field(
        default=1e20, ge=0, description="Multiply-adds (steps x size) that the unfinished runs of one API key may take."
    )
    max_where_characters: int = Field(default=100_000, description="Characters of one where expression.")
    max_where_depth: int = Field(default=50, description="Levels of NOT, AND and OR in one where expression.")
    max_where_tests: int = Field(default=200, description="Comparisons in one where expression.")
    max_where_values: int = Field(default=2000, description="Values in all IN lists of one where expression.")
    max_named_fields: int = Field(default=100, description="Names in one order_by, fields, metrics or group_by.")


class Settings(BaseSettings):
    """Where things are and how the service is run."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    data_dir: Path = Field(default=Path(".rankward"), description="Directory of the database file and of the locks.")
    database_url: str | None = Field(
        default=None,
        description="postgresql://user:password@host/name; a SQLite file in the data directory if not set.",
    )
    database_connections: int = Field(
        default=5, ge=1, description="Connections to PostgreSQL that each process keeps open."
    )
    database_more_connections: int = Field(
        default=10, ge=0, description="Further ones that it opens while all of these are in use."
    )
    database_pooled: bool = Field(
        default=False, description="PgBouncer in transaction mode is between: nothing is kept in a session."
    )
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    require_keys: bool = Field(
        default=False, description="Ask for API keys on the loopback, too; elsewhere they are always asked for."
    )
    allowed_hosts: str = Field(
        default="", description="Names, separated by commas, that the Host header may give beside the loopback's."
    )
    trusted_proxies: str = Field(
        default="",
        description="Addresses and networks, separated by commas, of the proxies whose X-Forwarded-Proto and "
        "X-Forwarded-Host are believed.",
    )
    root_path: str = Field(default="", description="Path under which a proxy shows the service, such as /lab.")
    public_origin: str | None = Field(
        default=None, description="Scheme, host and port by which browsers reach the service, https://lab.example."
    )
    head_seconds: float = Field(
        default=15.0, gt=0, le=3600, description="Seconds within which a request's line and headers must come."
    )
    body_seconds: float = Field(default=30.0, gt=0, le=3600, description="Seconds within which a body must come.")
    body_bytes_per_second: float = Field(
        default=10_000.0, gt=0, description="Bytes of a body that give it a second more to come."
    )
    max_connections: int = Field(
        default=10_000, ge=1, description="Connections to one API process; fewer where it may open fewer files."
    )
    workers: int | None = Field(
        default=None, ge=1, description="Worker processes; one per GPU, or per core where there is none, when not set."
    )
    worker_memory_bytes: int = Field(
        default=2 * 2**30,
        ge=2**28,
        description="Memory that an idle worker may keep; beyond it the process is replaced, at most once a minute.",
    )
    scheduler: str | None = Field(
        default=None, description="Address of a dask scheduler, tls://host:port; workers on this machine when not set."
    )
    tls_ca: Path | None = Field(default=None, description="Certificate of the authority that signed the cluster's.")
    tls_cert: Path | None = Field(default=None, description="This process's certificate in the cluster.")
    tls_key: Path | None = Field(default=None, description="Key of that certificate.")
    alive_file: Path | None = Field(
        default=None,
        description="File whose time a machine's workers of a cluster renew every 5 s while all of them work.",
    )
    cluster_timeout_seconds: float = Field(
        default=30.0, gt=0, description="Silence of the scheduler after which its slices in flight are given up."
    )
    metrics_port: int | None = Field(
        default=None, ge=1, le=65535, description="Port on which the dispatcher shows its metrics; none when not set."
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address on which the dispatcher shows its metrics.")
    dispatcher_metrics_url: str | None = Field(
        default=None, description="Where the API finds a dispatcher's metrics to show among its own."
    )
    event_poll_seconds: float = Field(default=0.25, gt=0, description="How often events are looked for.")
    heartbeat_seconds: float = Field(default=15.0, gt=0, description="Longest silence of an event stream.")
    slice_seconds: float = Field(default=2.0, gt=0, le=60, description="Seconds of descent in one slice, at least.")
    longest_slice_seconds: float = Field(
        default=20.0,
        gt=0,
        le=600,
        description="Seconds to which slices grow where workers could not be fed otherwise.",
    )
    most_cores_per_slice: int = Field(
        default=4,
        ge=1,
        description="Cores that a large run may take while other workers of this machine have nothing to do; "
        "no result depends on it.",
    )
    poll_seconds: float = Field(default=0.1, gt=0, description="How often the dispatcher looks for runs.")
    lease_seconds: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="How long a dispatcher may be silent before the others take over.",
    )
    dispatcher_name: str | None = Field(
        default=None, description="Name of this dispatcher, kept over restarts; only one process may have it at a time."
    )
    busy_seconds: float = Field(default=30.0, ge=0, le=3600, description="How long to wait for a lock in the database.")
    most_attempts: int = Field(default=3, ge=1, description="How often a run may fail alone before it is given up.")

    @field_validator("host")
    @classmethod
    def _without_brackets(cls, host: str) -> str:
        return host[1:-1] if host.startswith("[") and host.endswith("]") else host

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, proxies: str) -> str:
        networks(proxies)
        return proxies

    @field_validator("root_path")
    @classmethod
    def _as_prefix(cls, path: str) -> str:
        """Begins with a slash and ends with none; "" for none."""
        prefix = path.strip("/")
        if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*|", prefix, re.ASCII):
            raise ValueError(f"{path!r} is no path of letters, digits, '-', '.', '_' and '~', such as /lab")
        return f"/{prefix}" if prefix else ""

    @field_validator("public_origin")
    @classmethod
    def _as_origin(cls, origin: str | None) -> str | None:
        if not origin:
            return None
        scheme, _, authority = origin.lower().rstrip("/").partition("://")
        if scheme not in ("http", "https") or not host_name(authority):
            raise ValueError(f"{origin!r} is no origin, such as https://lab.example; a path belongs into root_path")
        return f"{scheme}://{authority}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, FileSource(settings_cls)

    @cached_property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        if self.database_url:
            return self.database_url
        return f"sqlite:///{quote(str((self.data_dir / 'rankward.db').absolute()))}"  # SQLAlchemy unquotes it

    @property
    def pool(self) -> Pool:
        """The connections of a process to PostgreSQL."""
        return Pool(self.database_connections, self.database_more_connections, self.database_pooled)

    @property
    def keys_required(self) -> bool:
        """Whether every request must bring an API key."""
        return self.require_keys or not is_loopback(self.host)

    @property
    def allowed_host_names(self) -> frozenset[str]:
        """Host names configured beside the loopback's."""
        return frozenset(name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip())

    @cached_property
    def trusted_networks(self) -> tuple[Network, ...]:
        """Of the proxies whose headers are believed."""
        return networks(self.trusted_proxies)
