"""The runs of a request, checked as they are read: once for all that differ only by their seed, and never all at once
in memory."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cachetools import LRUCache
from pydantic import ConfigDict, TypeAdapter, ValidationError

from service.errors import FieldError, InvalidPayload, json_pointer
from service.limits import first_violation
from service.schemas.requests import ExperimentRequest
from service.settings import Limits
from service.use_cases.field_errors import pointer_into_run, run_errors
from service.use_cases.run_starts import RunStarts, StartNotRead
from workers.runs.precisions import rounded_away
from workers.runs.reading import RunReader
from workers.runs.spec import RunSpec
from workers.runs.sweeps import SweepError, SweptRun, count_runs, expand

SEED = "seed"
"""The field on which nothing else depends: neither whether a spec is valid, nor what its run costs."""

MOST_KEPT = 1000
"""Specs that are kept for further runs that differ by the seed alone."""

_seed: TypeAdapter[int] = TypeAdapter(
    RunSpec.model_fields[SEED].rebuild_annotation(), config=ConfigDict(strict=True, allow_inf_nan=False)
)


class CheckedRuns:
    """The runs of a request with a checked sweep; every pass over them reads them again.

    `len` is their number. Passes raise InvalidPayload where a spec is wrong or above a limit, or a path of the sweep
    leads nowhere.

    Attributes:
        starts: at other runs, as far as specs were read.
    """

    def __init__(self, request: ExperimentRequest, limits: Limits, starts: RunStarts) -> None:
        self._request, self._limits, self._reader, self.starts = request, limits, RunReader(), starts
        seeds = [number for number, axis in enumerate(request.sweep) if set(axis) == {SEED}]
        self._axis = seeds[0] if seeds else None

    def __len__(self) -> int:
        return count_runs(self._request.sweep)

    def groups(self) -> Iterator[tuple[RunSpec, int]]:
        """A spec of each group of runs that differ by nothing but their seed, and the number of those runs."""
        sweep, size = [*self._request.sweep], 1
        if self._axis is not None:
            sweep[self._axis] = {SEED: sweep[self._axis][SEED][:1]}
            size = len(self._seeds)
        for swept in self._expanded(sweep):
            yield self._checked(swept), size

    def __iter__(self) -> Iterator[RunSpec]:
        """All specs, the last axis of the sweep varying fastest."""
        for spec, seed in self.members():
            yield spec if seed is None else spec.model_copy(update={SEED: seed})

    def members(self) -> Iterator[tuple[RunSpec, int | None]]:
        """All runs in that order: the spec of a run's group, and the seed in which it differs; None where none does."""
        kept: LRUCache[tuple[int, ...], RunSpec] = LRUCache(MOST_KEPT)
        for swept in self._expanded(self._request.sweep):
            if self._axis is None:
                yield self._checked(swept), None
                continue
            group = (*swept.positions[: self._axis], *swept.positions[self._axis + 1 :])
            spec = kept.get(group)
            if spec is None:
                spec = kept[group] = self._checked(swept)
            yield spec, self._seeds[swept.positions[self._axis]]

    @cached_property
    def _seeds(self) -> list[int]:
        """The values of the axis of seeds."""
        assert self._axis is not None
        values = self._request.sweep[self._axis][SEED]
        return [self._checked_seed(position, value) for position, value in enumerate(values)]

    def _checked_seed(self, position: int, value: Any) -> int:
        try:
            return _seed.validate_python(value)
        except ValidationError:
            assert self._axis is not None
            swept = next(self._expanded(self._request.sweep))
            origins = {**swept.origins, SEED: (self._axis, SEED, position)}
            return self._checked(SweptRun({**swept.spec, SEED: value}, origins, swept.positions)).seed

    def _expanded(self, sweep: list[dict[str, list[Any]]]) -> Iterator[SweptRun]:
        try:
            yield from expand(self._request.run, sweep)
        except SweepError as error:
            raise InvalidPayload([FieldError(json_pointer(("sweep", *error.pointer)), str(error))]) from None

    def _checked(self, swept: SweptRun) -> RunSpec:
        posted = self._request.run
        try:
            spec = self._reader.read(swept.spec)
        except ValidationError as error:
            raise InvalidPayload(run_errors(error, swept, posted)) from None
        try:
            violation = first_violation(spec, self._limits)
            spec = spec if violation else self.starts.filled_in(spec)
        except StartNotRead as error:
            violation = error.violation
        if violation := violation or rounded_away(spec):
            path, detail = violation
            raise InvalidPayload([FieldError(pointer_into_run(path, swept, posted), detail)])
        return spec.settled()
