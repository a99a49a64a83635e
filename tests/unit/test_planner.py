from hypothesis import given
from hypothesis import strategies as st

from service.dispatch.planner import Facts, Queue, StartSlice, largest_batch, plan


def queue(key="a", waiting=10, first_run=1, batch_limit=None, numbers=12):
    return Queue(key, batch_limit, waiting, first_run, numbers)


def test_nothing_to_do():
    assert plan(Facts([], 2, 2, {})) == []
    assert plan(Facts([queue()], 0, 2, {})) == []


def test_each_queue_gets_a_worker_before_any_gets_two():
    first, second = queue("a", first_run=1), queue("b", first_run=50)
    assert plan(Facts([second, first], 2, 2, {})) == [StartSlice(first, 10), StartSlice(second, 10)]
    assert plan(Facts([second, first], 3, 2, {})) == [
        StartSlice(first, 5),
        StartSlice(first, 5),
        StartSlice(second, 10),
    ]


def test_queues_are_served_in_turn():
    queues = [queue("a", first_run=1), queue("b", first_run=50)]
    assert [start.queue.batch_key for start in plan(Facts(queues, 1, 0, {"a": 7, "b": 6}))] == ["b"]
    assert [start.queue.batch_key for start in plan(Facts(queues, 1, 0, {"a": 7, "b": 8}))] == ["a"]


def test_batches_respect_their_limits():
    assert largest_batch(queue(batch_limit=3)) == 3
    assert largest_batch(queue(numbers=10**9)) == 1
    assert plan(Facts([queue(waiting=10**6)], 1, 0, {}))[0].runs == 1024


def test_full_batches_go_ahead_and_others_wait_for_an_idle_worker():
    assert [start.runs for start in plan(Facts([queue(waiting=3000)], 1, 5, {}))] == [1024, 1024]
    assert [start.runs for start in plan(Facts([queue(waiting=5000)], 0, 2, {}))] == [1024, 1024]
    assert plan(Facts([queue(waiting=1000)], 0, 2, {})) == []


@given(
    st.lists(st.tuples(st.integers(1, 10**5), st.integers(1, 10**6)), max_size=6), st.integers(0, 9), st.integers(0, 9)
)
def test_no_more_slices_than_workers_and_no_more_runs_than_wait(waits, idle, ahead):
    queues = [queue(str(i), waiting=w, first_run=i, numbers=n) for i, (w, n) in enumerate(waits)]
    starts = plan(Facts(queues, idle, ahead, {}))
    assert len(starts) <= idle + ahead
    for one in queues:
        served = [start.runs for start in starts if start.queue == one]
        assert sum(served) <= one.waiting
        assert all(0 < runs <= largest_batch(one) for runs in served)


def test_nothing_waits_at_a_worker_while_a_run_is_suspected():
    full = queue(waiting=5000)
    assert len(plan(Facts([full], 1, 3, {}))) == 4
    assert len(plan(Facts([full, queue(key="b", waiting=1, batch_limit=1)], 1, 3, {}))) == 1
