"""Alembic's entry: runs migrations on the database whose URL the caller gave."""

from typing import Any, Literal

from alembic import context

from service.settings import Settings
from service.store.database import Database
from service.store.tables import UtcTime, metadata


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our own types as plain ones, so that a revision never changes with the service's code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcTime) else False


def main() -> None:
    """Run the asked migrations in one transaction."""
    settings = Settings()
    database = Database(context.config.attributes.get("url") or settings.url, settings.busy_seconds)
    with database.migrating() as connection:
        context.configure(
            connection=connection, target_metadata=metadata, render_as_batch=True, render_item=render_item
        )
        context.run_migrations()
    database.close()


main()
