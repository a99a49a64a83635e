"""Commands that make, list and revoke API keys, directly in the database."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.roles import DataDir, settings_of
from service.cli.sides import of_server
from service.cli.tables import Column, make_console, print_table
from service.values.visible import visible

if TYPE_CHECKING:  # none of it is there where the client alone is installed
    from service.settings import Settings
    from service.store.database import Database
    from service.use_cases.keys import Scope

app = typer.Typer(help="API keys: who may read, submit, administer.", no_args_is_help=True)

Scopes = Annotated[
    list[str],
    typer.Option(
        "--scope", help="read, submit (and cancel) or admin (and delete); may be repeated.", show_default=True
    ),
]
RequestLimit = Annotated[int | None, typer.Option(min=1, help="Requests in a minute.", show_default="the service's")]
RunLimit = Annotated[int | None, typer.Option(min=0, help="Runs that are not over.", show_default="the service's")]
WorkLimit = Annotated[
    float | None, typer.Option(min=0, help="Multiply-adds (steps x size) of those runs.", show_default="the service's")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
@of_server
def create(
    name: Annotated[str, typer.Argument(help="Who or what the key is for.")],
    scope: Scopes = ["read", "submit"],  # noqa: B006 (typer copies it)
    max_requests_per_minute: RequestLimit = None,
    max_unfinished_runs: RunLimit = None,
    max_unfinished_multiply_adds: WorkLimit = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once."""
    from service.use_cases import keys

    quotas = {
        "max_requests_per_minute": max_requests_per_minute,
        "max_unfinished_runs": max_unfinished_runs,
        "max_unfinished_multiply_adds": max_unfinished_multiply_adds,
    }
    with _database(settings_of(data_dir=data_dir)) as database:
        token = keys.create_key(database, name, [_scope(given) for given in scope], quotas)
    if as_json:
        print(json.dumps({"key": token, "prefix": token[: keys.PREFIX_CHARACTERS], "name": name}))
    else:
        typer.echo("Keep this key: it is stored as a digest and cannot be shown again.", err=True)
        print(token)


@app.command("list")
@of_server
def list_all(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the keys: their first characters, scopes and limits."""
    from service.use_cases import keys

    with _database(settings_of(data_dir=data_dir)) as database:
        listed = keys.list_keys(database)
    if as_json:
        return print(json.dumps(listed, default=_rfc_3339, indent=2))
    return print_table(
        [
            Column("key", [key["prefix"] + "..." for key in listed]),
            Column("name", [key["name"] for key in listed], 1, 10),
            Column("scopes", [" ".join(key["scopes"]) for key in listed], 3),
            Column("made (UTC)", [_day(key["created_at"]) for key in listed], 4),
            Column("limits", list(map(_limits, listed)), 5, 20),
            Column("state", list(map(_state, listed)), 2),
        ]
    )


@app.command()
@of_server
def revoke(
    prefix: Annotated[str, typer.Argument(help="The key's first characters, as `rankward keys list` shows them.")],
    data_dir: DataDir = None,
) -> None:
    """End a key; the next request that brings it is refused."""
    from service.use_cases import keys

    with _database(settings_of(data_dir=data_dir)) as database:
        keys.revoke_key(database, prefix)
    make_console().print(f"{visible(prefix)} is revoked.")


def _limits(key: Mapping[str, Any]) -> str:
    from service.use_cases import keys

    shown = [f"{quota} {key[quota]:,.15g}" for quota in keys.QUOTAS if key[quota] is not None]
    return ", ".join(shown) or "-"


def _state(key: Mapping[str, Any]) -> str:
    return "in use" if key["revoked_at"] is None else f"revoked {_day(key['revoked_at'])} UTC"


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _rfc_3339(moment: datetime) -> str:
    """A time as JSON has it, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@contextmanager
def _database(settings: "Settings") -> "Generator[Database]":
    """The database of the settings; a file of its own is made, anything else must have been migrated."""
    from service.processes.private_files import make_private
    from service.store.database import Database
    from service.store.migrate import migrate
    from service.store.schema import check_schema
    from service.store.sqlite import database_file
    from service.store.unusable import usable

    if settings.database_url is None:
        make_private(settings.data_dir, database_file(settings.url))
        migrate(settings.url)
    database = Database(settings.url, pool=settings.pool)
    try:
        with usable(settings.url):
            check_schema(database)
            yield database
    finally:
        database.close()


def _scope(given: str) -> "Scope":
    from service.use_cases import keys

    for scope in keys.SCOPES:
        if scope == given:
            return scope
    raise typer.BadParameter(f"{given!r} is none of {', '.join(keys.SCOPES)}", param_hint="--scope")
