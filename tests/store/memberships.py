"""What tests of dispatchers' memberships share: clocks that they move by hand, and what they ask of a database."""

from datetime import UTC, datetime, timedelta

from service.store.dispatchers import dispatchers_at_work
from service.use_cases.experiments import get_experiment

LEASE = 10.0


class Clocks:
    """The machine's steady clock and the database's time of day, moved by hand."""

    def __init__(self):
        self.steady = 0.0
        self.day = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def pass_seconds(self, seconds):
        self.steady += seconds
        self.day += timedelta(seconds=seconds)


def at_work(database):
    with database.reading() as connection:
        return dispatchers_at_work(connection)


def write(membership):
    with membership.writing():
        pass


def beat_for(clocks, seconds, *memberships):
    for _ in range(int(seconds)):
        clocks.pass_seconds(1)
        for membership in memberships:
            membership.beat()


def runs_of(database, experiment):
    return get_experiment(database, experiment.id).runs


def finish(database, experiment, *loops):
    for _ in range(50):
        for loop in loops:
            loop.tick()
    assert get_experiment(database, experiment.id).status == "succeeded"
