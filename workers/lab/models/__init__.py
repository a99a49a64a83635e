"""Models: batched product and gradient, one file per kind of model."""
