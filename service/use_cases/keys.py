"""API keys: make one, list them, revoke one, recognise one."""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from service.errors import NotFound, NotReady, Unauthenticated
from service.settings import Limits, Settings
from service.store import keys as store
from service.store.database import Database
from service.store.migrate import check_schema
from service.values.addresses import is_loopback

Scope = Literal["read", "submit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
QUOTAS = ("max_requests_per_minute", "max_unfinished_runs", "max_unfinished_multiply_adds")
"""Limits that a key may have of its own; their defaults are the fields of `Limits` with the same names."""

MARK = "rw_"
PREFIX_CHARACTERS = len(MARK) + 8
SECRET_BYTES = 32
"""256 random bits: no dictionary holds them, so a plain digest is as safe as a slow one."""


@dataclass(frozen=True)
class Holder:
    """Who sent a request.

    Attributes:
        prefix: the first characters of the key, by which people know it.
        quotas: the limits in force for this key, by the names in `QUOTAS`.
    """

    id: int
    prefix: str
    scopes: frozenset[str]
    quotas: Mapping[str, float]

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope; `admin` has all."""
        return scope in self.scopes or "admin" in self.scopes


def create_key(database: Database, name: str, scopes: Collection[Scope], quotas: Mapping[str, float | None]) -> str:
    """Make a key.

    Returns:
        The key itself. It is stored as a digest only, so this is the one time it can be seen.
    """
    token = MARK + secrets.token_urlsafe(SECRET_BYTES)
    values = {"prefix": token[:PREFIX_CHARACTERS], "name": name, "digest": _digest(token), **quotas}
    with database.writing() as connection:
        store.insert_key(connection, {**values, "scopes": sorted(scopes), "created_at": datetime.now(UTC)})
    return token


def list_keys(database: Database) -> Sequence[Mapping[Any, Any]]:
    """All keys with what is known of them, which is not the keys themselves."""
    with database.reading() as connection:
        return [
            {name: row[name] for name in row if name not in ("id", "digest")} for row in store.list_keys(connection)
        ]


def revoke_key(database: Database, prefix: str) -> None:
    """End a key; the next request that brings it is refused. Raises NotFound."""
    with database.writing() as connection:
        found = store.revoke_key(connection, prefix[:PREFIX_CHARACTERS], datetime.now(UTC))
    if not found:
        raise NotFound(f"There is no key {prefix!r} in use; `rankward keys list` shows those there are.")


def find_holder(database: Database, token: str | None, limits: Limits) -> Holder:
    """Who holds a key; raises Unauthenticated."""
    if not token:
        raise Unauthenticated("Send an API key: `Authorization: Bearer rw_...`.", given=False)
    with database.reading() as connection:
        row = store.find_key(connection, _digest(token))
    if row is None or row["revoked_at"] is not None:
        raise Unauthenticated("This API key is not known here, or was revoked; ask for a new one.", given=True)
    quotas = {name: getattr(limits, name) if row[name] is None else row[name] for name in QUOTAS}
    return Holder(row["id"], row["prefix"], frozenset(row["scopes"]), quotas)


def check_somebody_gets_in(settings: Settings) -> None:
    """Raise NotReady if the API is to ask for keys and there are none."""
    if not settings.keys_required:
        return
    database = Database(settings.url)
    try:
        check_schema(database)
        with database.reading() as connection:
            found = store.has_active_key(connection)
    finally:
        database.close()
    if not found:
        where = (
            "with RANKWARD_REQUIRE_KEYS" if is_loopback(settings.host) else f"on {settings.host}, beyond the loopback,"
        )
        raise NotReady(
            f"The API does not listen {where} while there are no API keys; make one with "
            "`rankward keys create NAME` (and the same settings), or let it listen on 127.0.0.1 without."
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
