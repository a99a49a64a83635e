"""Alembic migrations of the database; run by `rankward serve` at start."""
