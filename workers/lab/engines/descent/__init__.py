"""The torch engine: batched tensors and analytic gradients, for every descent; the reference for the fused engine."""
