"""Short ids: what they stand for, for those who hold no connection."""

from service.store.database import Database
from service.store.short_ids import Resource, full_id, is_short


def whole_id(database: Database, resource: Resource, text: str) -> str:
    """The id that a short one stands for, itself where it is whole or one of nothing; raises AmbiguousId."""
    if not is_short(text):
        return text
    with database.reading() as connection:
        return full_id(connection, resource, text)
