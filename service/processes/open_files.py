"""Open files: a service needs more of them than shells allow by default."""

import resource

_ENOUGH = 2**20
"""Where there is no limit at all: as many as Linux gives a process by default."""


def raise_open_files() -> int:
    """Raise this process's limit as far as it may by itself; returns the limit in force, which children inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _ENOUGH if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS says no to what it says is allowed
        return soft
    return wanted
