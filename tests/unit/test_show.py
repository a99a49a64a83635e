"""Tables of the command line."""

from service.cli.show import print_groups
from tests.helpers.specs import BASIC
from workers.runs.spec import RunSpec


def test_medians_of_a_group_count_what_is_infinite_and_not_what_is_no_number(capsys):
    spec = RunSpec.model_validate(BASIC).model_dump(mode="json")

    def run(loss, entry, steps):
        return {"spec": spec, "step": 10, "summary": {"loss": loss, "unobserved_entry": entry, "steps": steps}}

    runs = [run(1.0, -4.0, 10), run("Infinity", "Infinity", 20), run("NaN", 3.0, 30), run(2.0, "NaN", 40)]
    print_groups(runs)
    *_, row = (line.split() for line in capsys.readouterr().out.splitlines() if line.strip())
    assert row[-6:] == ["4", "25", "2.00e+00", "4", "3", "inf"]
