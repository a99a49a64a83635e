"""Routes: from HTTP to use cases and back, nothing else."""
