"""The dispatcher, as seen from the API: whether one is at work."""

from service.errors import NotReady
from service.store.database import Database
from service.store.dispatcher_lease import dispatcher_heartbeat


def check_dispatcher(database: Database) -> None:
    """Raise NotReady unless a dispatcher has beaten within its lease."""
    with database.reading() as connection:
        heartbeat = dispatcher_heartbeat(connection)
    if heartbeat.is_alive:
        return
    if heartbeat.seconds_ago is None:
        raise NotReady("No dispatcher has ever been at work on this database; start one with `rankward dispatcher`.")
    raise NotReady(
        f"No dispatcher is at work, the last one was {heartbeat.seconds_ago:.0f} seconds ago: what is submitted is kept, "
        "and computed once one is; start it with `rankward dispatcher`."
    )
