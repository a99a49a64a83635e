"""Addresses: which of them only this machine reaches."""

from functools import lru_cache
from ipaddress import ip_address

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's loopback; a name other than localhost may be anything."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache
def is_outside(address: str) -> bool:
    """Whether a numeric address is one that other machines may reach; what is no address (a socket's path) is not."""
    try:
        return not ip_address(address).is_loopback
    except ValueError:
        return False


def host_name(authority: str) -> str:
    """The name in `name`, `name:port` or `[address]:port`, in lower case."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.rpartition(":")[0].lower() if authority.count(":") == 1 else authority.lower()
