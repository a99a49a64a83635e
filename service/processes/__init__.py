"""Processes: what each one needs of its machine: signals, locks, logs, memory, certificates."""
