"""Whether a run comes out again: its trajectory beside that of another run of the same spec, bit by bit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """Where two trajectories first differ.

    Attributes:
        column: the first column, in the order of the run's, that differs at the earliest point; None where one of the
            runs has more points.
        step: of that point; of the first one that the shorter trajectory lacks.
        before, after: what stands there; None where nothing does.
    """

    column: str | None
    step: int
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        if self.column is None:
            return f"one of them has no point at step {self.step:,}"
        return f"`{self.column}` at step {self.step:,} is {self.after!r} and was {self.before!r}"


def first_difference(before: Json, after: Json) -> Difference | None:
    """Where the columns of two trajectories first differ; None where they are equal to the bit.

    JSON has the shortest decimals that stand for a double, so that equal texts are equal bits.
    """
    steps = list(zip(before["step"], after["step"], strict=False))
    for index, (step, other) in enumerate(steps):
        if step != other:
            return Difference(None, min(step, other))
        for column in {**before, **after}:
            values = [columns[column][index] if column in columns else None for columns in (before, after)]
            if repr(values[0]) != repr(values[1]):  # which tells -0.0 from 0.0
                return Difference(column, step, *values)
    longer = max(before["step"], after["step"], key=len)
    return None if len(longer) == len(steps) else Difference(None, longer[len(steps)])


def unlike(before: Json, after: Json) -> list[str]:
    """What two runs were not computed with alike, as short sentences; their bits may then differ."""
    return list(_unlike(before, after))


def _unlike(before: Json, after: Json) -> Iterator[str]:
    for name in ("engine", "device"):
        if before[name] != after[name]:
            yield f"the {name} is {after[name]} and was {before[name]}"
    known = before.get("computed_with"), after.get("computed_with")
    if known[0] is None or known[1] is None:
        yield (
            "it is not known with what the first was computed" if known[0] is None else "the server is older than that"
        )
        return
    for name in {**known[0], **known[1]}:
        if known[0].get(name) != known[1].get(name):
            yield f"{name} is {known[1].get(name) or 'none'} and was {known[0].get(name) or 'none'}"
