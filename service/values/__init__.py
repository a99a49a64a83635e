"""Values: small facts that many rooms share, free of I/O."""
