import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.runs.milestones import milestone_summary, no_milestones, note_determinant_signs, note_losses

LOSSES = st.lists(st.floats(1e-12, 10.0), min_size=1, max_size=40)


@given(LOSSES, st.integers(0, 5))
def test_first_steps_below_each_decade_do_not_depend_on_the_cuts(losses, cut):
    whole, parts = no_milestones(1), no_milestones(1)
    note_losses(whole, np.array(losses)[:, None], np.array([0]))
    for start in range(0, len(losses), cut + 1):
        note_losses(parts, np.array(losses[start : start + cut + 1])[:, None], np.array([start]))
    assert whole.tolist() == parts.tolist()
    expected = {}
    for decade in range(31):
        name = "1e0" if decade == 0 else f"1e-{decade}"
        below = [step for step, loss in enumerate(losses) if loss < float(name)]
        if below:
            expected[name] = below[0]
    assert milestone_summary(whole[0])["first_step_below"] == expected


def test_the_first_change_of_sign_is_kept():
    row = no_milestones(1)[0]
    note_determinant_signs(row, np.array([0, 5]), np.array([0.0, 1.0]))
    assert milestone_summary(row)["determinant_sign_changed_at"] is None
    note_determinant_signs(row, np.array([8, 9, 11]), np.array([1.0, -1.0, 1.0]))
    note_determinant_signs(row, np.array([20]), np.array([-1.0]))
    assert milestone_summary(row)["determinant_sign_changed_at"] == 9
