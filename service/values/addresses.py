"""Addresses: which of them only this machine reaches, and how they are written."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_AUTHORITY = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[\w.~%-]*))(?::\d{0,5})?", re.ASCII)
"""Host and port as RFC 3986, section 3.2, has them, without a user's name and without the signs that no name uses."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's loopback; a name other than localhost may be anything."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def is_this_machine(host: str) -> bool:
    """Whether a client that connects to a host surely meets its own machine: the loopback, 0.0.0.0 and ::."""
    address = _address(host.strip("[]"))
    return is_loopback(host) or (address is not None and address.is_unspecified)


@lru_cache
def is_outside(address: str) -> bool:
    """Whether a numeric address is one that other machines may reach; what is no address (a socket's path) is not."""
    parsed = _address(address)
    return parsed is not None and not parsed.is_loopback


def host_name(authority: str) -> str | None:
    """The name in `name`, `name:port` or `[address]:port`, in lower case; None where it is none of these."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    if match["address"] is None:
        return match["name"].lower()
    try:
        return str(IPv6Address(match["address"]))
    except ValueError:
        return None


def http_url(host: str, port: int) -> str:
    """The URL of a server."""
    return f"http://{url_host(host)}:{port}"


def url_host(host: str) -> str:
    """A host as URLs have it: an IPv6 address stands in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def networks(text: str) -> tuple[Network, ...]:
    """Addresses and networks, separated by commas; raises ValueError."""
    return tuple(ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def is_within(address: str, among: tuple[Network, ...]) -> bool:
    """Whether an address belongs to one of some networks; what is no address does not."""
    parsed = _address(address)
    return parsed is not None and any(parsed in network for network in among)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address; one of IPv4 that a socket of IPv6 shows as ::ffff:a.b.c.d is the one of IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
