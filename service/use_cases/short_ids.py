"""Short ids: lookup for callers without a connection."""

from service.store.database import Database
from service.store.short_ids import Resource, full_id, is_short


def whole_id(database: Database, resource: Resource, text: str) -> str:
    """The id that a text abbreviates; the text itself if it abbreviates none. Raises AmbiguousId."""
    if not is_short(text):
        return text
    with database.reading() as connection:
        return full_id(connection, resource, text)
