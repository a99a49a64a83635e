"""API keys: creation, list, revocation and recognition."""

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
from service.store.schema import check_schema
from service.values.addresses import is_loopback

Scope = Literal["read", "submit", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
QUOTAS = ("max_requests_per_minute", "max_unfinished_runs", "max_unfinished_multiply_adds")
"""Limits that may be set per key; the fields of `Limits` with these names are their defaults."""

MARK = "rw_"
PREFIX_CHARACTERS = len(MARK) + 8
SECRET_BYTES = 32
"""Length of a secret. 256 random bits are in no dictionary, so a fast digest is as safe as a slow one."""


@dataclass(frozen=True)
class Holder:
    """The sender of a request.

    Attributes:
        prefix: first characters of the key, its public name.
        quotas: the limits in force for this key, by the names in `QUOTAS`.
    """

    id: int
    prefix: str
    scopes: frozenset[str]
    quotas: Mapping[str, float]

    def may(self, scope: Scope) -> bool:
        """Whether the key has a scope; `admin` includes all."""
        return scope in self.scopes or "admin" in self.scopes


def create_key(database: Database, name: str, scopes: Collection[Scope], quotas: Mapping[str, float | None]) -> str:
    """Create a key.

    Returns:
        The key itself, which cannot be read again because only its digest is stored.
    """
    token = MARK + secrets.token_urlsafe(SECRET_BYTES)
    values = {"prefix": token[:PREFIX_CHARACTERS], "name": name, "digest": _digest(token), **quotas}
    with database.writing() as connection:
        store.insert_key(connection, {**values, "scopes": sorted(scopes), "created_at": datetime.now(UTC)})
    return token


def list_keys(database: Database) -> Sequence[Mapping[Any, Any]]:
    """All keys without secrets and digests."""
    with database.reading() as connection:
        return [
            {name: row[name] for name in row if name not in ("id", "digest")} for row in store.list_keys(connection)
        ]


def revoke_key(database: Database, prefix: str) -> None:
    """Revoke a key, from the next request on; raises NotFound."""
    with database.writing() as connection:
        revoked = store.revoke_key(connection, prefix[:PREFIX_CHARACTERS], datetime.now(UTC))
    if not revoked:
        raise NotFound(f"There is no key {prefix!r} in use; `rankward keys list` shows those there are.")


def find_holder(database: Database, token: str | None, limits: Limits) -> Holder:
    """The holder of a key; raises Unauthenticated."""
    if not token:
        raise Unauthenticated("Send an API key: `Authorization: Bearer rw_...`.", given=False)
    with database.reading() as connection:
        row = store.find_key(connection, _digest(token))
    if row is None or row["revoked_at"] is not None:
        raise Unauthenticated("This API key is not known here, or was revoked; ask for a new one.", given=True)
    return holder_of(row, limits)


def holder_of(row: Mapping[Any, Any], limits: Limits) -> Holder:
    """The holder of a stored key."""
    quotas = {name: getattr(limits, name) if row[name] is None else row[name] for name in QUOTAS}
    return Holder(row["id"], row["prefix"], frozenset(row["scopes"]), quotas)


def check_somebody_gets_in(settings: Settings) -> None:
    """Raise NotReady if no key is active, for an API that requires keys (`Settings.keys_required`)."""
    database = Database(settings.url, pool=settings.pool)
    try:
        check_schema(database)
        with database.reading() as connection:
            has_key = store.has_active_key(connection)
    finally:
        database.close()
    if not has_key:
        address = (
            "with RANKWARD_REQUIRE_KEYS" if is_loopback(settings.host) else f"on {settings.host}, beyond the loopback,"
        )
        raise NotReady(
            f"The API does not listen {address} while there are no API keys; make one with "
            "`rankward keys create NAME` (and the same settings), or let it listen on 127.0.0.1 without."
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
