"""Public ids: time-ordered UUIDs (version 7, RFC 9562), so that newer things sort later."""

import uuid_utils


def new_id() -> str:
    """A fresh public id."""
    return str(uuid_utils.uuid7())
