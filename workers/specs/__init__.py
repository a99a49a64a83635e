"""What a run is: frozen pydantic models, free of torch so that the API can validate specs."""

from workers.specs.run import RunSpec

__all__ = ["RunSpec"]
