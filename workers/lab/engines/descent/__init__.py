"""The descent engine: batched tensors and analytic gradients, for every spec; the reference of all others."""
