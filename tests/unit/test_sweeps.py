import pytest

from workers.runs.sweeps import SweepError, check_sweep, count_runs, expand


def test_axes_are_crossed_and_keys_of_one_axis_move_together():
    sweep = [{"model.depth": [2, 3]}, {"a": [1, 2, 3], "b.c": [4, 5, 6]}]
    check_sweep(sweep)
    runs = [swept.spec for swept in expand({"model": {"kind": "x"}, "b": {"d": 0}}, sweep)]
    assert count_runs(sweep) == len(runs) == 6
    assert runs[0] == {"model": {"kind": "x", "depth": 2}, "a": 1, "b": {"c": 4, "d": 0}}
    assert runs[-1] == {"model": {"kind": "x", "depth": 3}, "a": 3, "b": {"c": 6, "d": 0}}
    assert [run["a"] for run in runs] == [1, 2, 3, 1, 2, 3]


def test_the_base_stays_as_it_was():
    base = {"model": {"depth": 1}}
    list(expand(base, [{"model.depth": [2, 3]}]))
    assert base == {"model": {"depth": 1}}


def test_no_axes_is_one_run_and_origins_say_where_a_value_came_from():
    assert [swept.spec for swept in expand({"seed": 3}, [])] == [{"seed": 3}]
    swept = list(expand({}, [{"seed": [7, 8]}]))
    assert swept[1].origins == {"seed": (0, "seed", 1)}


@pytest.mark.parametrize(
    ("sweep", "pointer"),
    [
        ([{}], (0,)),
        ([{"seed": []}], (0, "seed")),
        ([{"seed": [1, 2], "init.std": [1]}], (0, "init.std")),
        ([{"seed": [1]}, {"seed": [2]}], (1, "seed")),
        ([{"init": [{}]}, {"init.std": [2]}], (1, "init.std")),
        ([{"init.std": [2], "init": [{}]}], (0, "init")),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused(sweep, pointer):
    with pytest.raises(SweepError) as error:
        check_sweep(sweep)
    assert error.value.pointer == pointer


def test_a_path_through_a_number_is_refused():
    with pytest.raises(SweepError, match="leads nowhere"):
        list(expand({"seed": 1}, [{"seed.x": [1]}]))
