"""How long slices last: short while they can be, longer where the dispatcher could not serve as many short ones."""

from dataclasses import dataclass

SHARE_TO_BE_BUSY = 0.5
"""Share of its time that a dispatcher may spend on slices; the rest is for submissions, beats and uneven loads."""

WEIGHT_OF_LAST = 0.1
"""Weight of the last slice's cost in the mean cost."""

Cost = float | None


@dataclass
class Pace:
    """The length of slices, from what they have cost this dispatcher."""

    _leasing: Cost = None
    _storing: Cost = None

    def leased(self, seconds: float) -> None:
        """Note what it took to lease and send a slice."""
        self._leasing = _mean(self._leasing, seconds)

    def stored(self, seconds: float) -> None:
        """Note what it took to store a slice."""
        self._storing = _mean(self._storing, seconds)

    def length(self, shortest: float, longest: float, workers: int, computed: float) -> float:
        """Seconds of a slice.

        Args:
            shortest, longest: what it lies between; `shortest` where they contradict each other.
            workers: that the dispatcher feeds, each with one slice after another.
            computed: seconds that the youngest run of the slice has been computed; a slice is no longer than that or
                `shortest`, because people watch runs begin, and so that a lost slice never costs more than was kept.
        """
        cost = (self._leasing or 0.0) + (self._storing or 0.0)
        needed = min(workers * cost / SHARE_TO_BE_BUSY, longest, computed)
        return max(shortest, needed)


def _mean(before: Cost, seconds: float) -> float:
    return seconds if before is None else before + WEIGHT_OF_LAST * (seconds - before)
