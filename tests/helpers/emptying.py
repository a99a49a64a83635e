"""Databases of PostgreSQL that are emptied in place of being made anew, which takes a third of the time."""

from typing import Any

import psycopg

_DIGESTS = {
    "tables, indexes, views": "SELECT oid, relname, reloptions FROM pg_class WHERE oid >= 16384",
    "columns": "SELECT attrelid, attnum, attname, atttypid, attnotnull FROM pg_attribute WHERE attrelid >= 16384",
    "defaults": "SELECT oid, adbin FROM pg_attrdef",
    "constraints": "SELECT oid, conname, convalidated FROM pg_constraint WHERE oid >= 16384",
    "views": "SELECT oid, ev_action FROM pg_rewrite WHERE oid >= 16384",
    "triggers": "SELECT oid, tgenabled FROM pg_trigger",
    "functions": "SELECT oid, prosrc FROM pg_proc WHERE oid >= 16384",
    "statistics": "SELECT starelid, staattnum FROM pg_statistic WHERE starelid >= 16384",
    "settings": "SELECT setrole, setconfig FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid"
    " WHERE datname = current_database()",
}
"""What of a database outlives its rows; what its users made has numbers from 16384."""

_OTHERS = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid != pg_backend_pid()"
_TABLES = "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename != 'alembic_version'"
_RESTART = "SELECT setval(format('%I', sequencename), start_value, false) FROM pg_sequences WHERE schemaname = 'public'"


def make_up(url: str) -> dict[str, str]:
    """Digests of what of a database outlives its rows."""
    with psycopg.connect(url) as connection:
        return _make_up(connection)


def emptied(url: str, expected: dict[str, str]) -> bool:
    """Remove all rows from a database, and say whether it is now as a new one of this make-up would be."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_OTHERS, [connection.info.dbname])
        if _make_up(connection) != expected:
            return False
        tables = [name for (name,) in connection.execute(_TABLES)]
        # TRUNCATE writes the files of all tables and indexes anew, which takes several times as long.
        removals = ["SET session_replication_role = replica", *(f"DELETE FROM {table}" for table in tables)]
        statements: Any = "; ".join([*removals, _RESTART])
        connection.execute(statements)
    return True


def _make_up(connection: "psycopg.Connection") -> dict[str, str]:
    parts = (f"(SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ({query}) t)" for query in _DIGESTS.values())
    query: Any = f"SELECT {', '.join(parts)}"
    (digests,) = connection.execute(query).fetchall()
    return dict(zip(_DIGESTS, digests, strict=True))
