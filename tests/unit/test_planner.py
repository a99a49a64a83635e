from hypothesis import given
from hypothesis import strategies as st

from service.dispatch.planner import Facts, Queue, StartSlice, largest_batch, plan
from service.values.queues import QueueKey
from workers.runs.engines import BatchKey


def queue(key="a", waiting=10, first_run=1, batch_limit=None, numbers=12, priority=0, share=0):
    return Queue(QueueKey(BatchKey.parse(key), batch_limit, priority, share), waiting, first_run, numbers)


def facts(queues, idle, ahead, last_served, shares=None, on_cores=False):
    """What the planner is told, with the turns of queues by their batch keys."""
    by_key = {one.key: last_served[str(one.key.batch_key)] for one in queues if str(one.key.batch_key) in last_served}
    return Facts(queues, idle, ahead, by_key, shares or {}, on_cores=on_cores)


def sizes(one, idle, ahead, on_cores=True):
    return [start.runs for start in plan(facts([one], idle, ahead, {}, on_cores=on_cores))]


def served(*queues, idle=1, ahead=0, shares=None):
    return [str(start.queue.key.batch_key) for start in plan(facts(queues, idle, ahead, {}, shares))]


def test_nothing_to_do():
    assert plan(facts([], 2, 2, {})) == []
    assert plan(facts([queue()], 0, 2, {})) == []


def test_each_queue_gets_a_worker_before_any_gets_two():
    first, second = queue("a", first_run=1), queue("b", first_run=50)
    assert plan(facts([second, first], 2, 2, {})) == [StartSlice(first, 10), StartSlice(second, 10)]
    assert plan(facts([second, first], 3, 2, {})) == [
        StartSlice(first, 5),
        StartSlice(first, 5),
        StartSlice(second, 10),
    ]


def test_queues_are_served_in_turn():
    queues = [queue("a", first_run=1), queue("b", first_run=50)]
    assert [str(start.queue.key.batch_key) for start in plan(facts(queues, 1, 0, {"a": 7, "b": 6}))] == ["b"]
    assert [str(start.queue.key.batch_key) for start in plan(facts(queues, 1, 0, {"a": 7, "b": 8}))] == ["a"]


def test_batches_respect_their_limits():
    assert largest_batch(queue(batch_limit=3)) == 3
    assert largest_batch(queue(numbers=10**9)) == 1
    assert plan(facts([queue(waiting=10**6)], 1, 0, {}))[0].runs == 1024


def test_a_higher_priority_takes_all_the_workers_it_needs():
    low, high = queue("low", first_run=1), queue("high", waiting=3000, first_run=50, priority=5)
    assert served(low, high, idle=2) == ["high", "high"]
    assert served(low, high, idle=4) == ["high", "high", "high", "low"]
    assert served(low, queue("negative", first_run=0, priority=-1), idle=1) == ["low"]


def test_shares_take_turns_however_many_queues_each_has():
    many = [queue(f"many {i}", first_run=i, share=1) for i in range(5)]
    one = queue("one", first_run=99, waiting=5000, share=2)
    assert served(*many, one, idle=4) == ["many 0", "one", "one", "many 1"]
    assert served(*many, one, idle=1, shares={1: 8, 2: 3}) == ["one"]
    assert served(*many, one, idle=1, shares={1: 8, 2: 9}) == ["many 0"]


def test_a_priority_counts_more_than_a_share():
    waited, urgent = queue("waited", share=1), queue("urgent", first_run=9, share=2, priority=1)
    assert served(waited, urgent, shares={2: 100}) == ["urgent"]


def test_full_batches_go_ahead_and_others_wait_for_an_idle_worker():
    assert [start.runs for start in plan(facts([queue(waiting=3000)], 1, 5, {}))] == [1024, 1024]
    assert [start.runs for start in plan(facts([queue(waiting=5000)], 0, 2, {}))] == [1024, 1024]
    assert plan(facts([queue(waiting=1000)], 0, 2, {})) == []


def test_where_a_batch_is_soon_as_fast_as_it_gets_half_of_it_waits_ahead():
    fused = "fused auto float64 mse gradient_descent deep_matrix"
    assert sizes(queue(fused, waiting=512), 2, 2) == [128, 128, 128, 128]
    assert sizes(queue(fused, waiting=200), 2, 2) == [67, 67, 66]
    assert sizes(queue(fused, waiting=100), 2, 2) == [50, 50]
    assert sizes(queue(fused, waiting=10**4), 2, 2) == [1024] * 4
    assert sizes(queue(fused, waiting=128), 0, 1) == [128]
    assert sizes(queue(fused, waiting=63), 0, 1) == []


def test_a_batch_that_every_further_run_makes_faster_stays_whole():
    for key in ("torch cpu float64", "fused cuda float64", "flow auto float64", "convex auto float64"):
        assert sizes(queue(key, waiting=512), 2, 2) == [256, 256], key
    assert sizes(queue("fused auto float64", waiting=512), 2, 2, on_cores=False) == [256, 256]


def test_slices_for_idle_workers_start_before_those_that_wait_ahead():
    first, second = (queue(f"fused auto {which}", waiting=128, first_run=which) for which in (1, 2))
    starts = plan(facts([first, second], 2, 2, {}, on_cores=True))
    assert starts == [StartSlice(first, 64), StartSlice(second, 64)] * 2


@given(
    st.lists(st.tuples(st.integers(1, 10**5), st.integers(1, 10**6)), max_size=6),
    st.integers(0, 9),
    st.integers(0, 9),
    st.booleans(),
)
def test_no_more_slices_than_workers_and_no_more_runs_than_wait(waits, idle, ahead, on_cores):
    queues = [queue(f"fused auto {i}", waiting=w, first_run=i, numbers=n) for i, (w, n) in enumerate(waits)]
    starts = plan(facts(queues, idle, ahead, {}, on_cores=on_cores))
    assert len(starts) <= idle + ahead
    for one in queues:
        served = [start.runs for start in starts if start.queue == one]
        assert sum(served) <= one.waiting
        assert all(0 < runs <= largest_batch(one) for runs in served)


def test_nothing_waits_at_a_worker_while_a_run_is_suspected():
    full = queue(waiting=5000)
    assert len(plan(facts([full], 1, 3, {}))) == 4
    assert len(plan(facts([full, queue(key="b", waiting=1, batch_limit=1)], 1, 3, {}))) == 1


def test_idle_workers_elsewhere_are_left_their_part():
    """What falls to the first of all idle workers is started here; nothing goes ahead while another is idle."""

    def starts(*queues, idle, elsewhere, ahead=4):
        planned = plan(Facts(queues, idle, ahead, {}, {}, on_cores=True, idle_elsewhere=elsewhere))
        return [(str(start.queue.key.batch_key), start.runs) for start in planned]

    assert starts(queue(waiting=512), idle=2, elsewhere=2) == [("a", 128), ("a", 128)]
    assert starts(queue(waiting=1), idle=1, elsewhere=3) == [("a", 1)]
    assert starts(queue(waiting=9999), idle=0, elsewhere=3) == []
    first, second = queue("a", waiting=9999, share=1), queue("b", first_run=9, waiting=9999, share=2)
    assert starts(first, second, idle=2, elsewhere=2) == [("a", 1024), ("b", 1024)], "shares take turns"
    urgent = queue("urgent", priority=1, waiting=3000)
    assert starts(first, urgent, idle=2, elsewhere=2) == [("urgent", 1000), ("urgent", 1000)]
