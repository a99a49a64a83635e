"""Objects with names that a spec chooses, as parts of specs that can be hashed."""

from typing import Any, TypeVar

Part = TypeVar("Part")


class Named(dict[str, Part]):
    """An object of a spec whose keys are names; never to be changed, so that it has a hash, which is computed once."""

    _hash: int | None = None

    def __hash__(self) -> int:  # type: ignore[override]
        if self._hash is None:
            self._hash = hash(frozenset(self.items()))
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        """Without the hash: another process has another one of the same names."""
        return type(self), (dict(self),)


def to_named(value: dict[str, Any]) -> Named[Any]:
    """A validated object as one that can be hashed."""
    return Named(value)
