"""Models: batched products and gradients, one file per kind of model."""
