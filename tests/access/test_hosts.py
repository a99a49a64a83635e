"""Host headers and addresses: what is a name of this machine, what is no name at all."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.values.addresses import host_name, http_url, is_loopback, is_outside, is_this_machine

MALFORMED = [
    "[::1].evil.com",
    "[::1]evil",
    "[::1",
    "::1]",
    "[]",
    "[evil.com]",
    "localhost:evil:1",
    "a b",
    "localhost/x",
]
MALFORMED += [
    "user@localhost",
    "localhost:8000:",
    "localhost,evil.com",
    "[::1]:80.evil.com",
    "lab\u00e4",
    "localhost:999999",
]


@pytest.mark.parametrize("host", MALFORMED)
@pytest.mark.parametrize("path", ["/v1/runs", "/livez", "/"])
def test_what_is_no_host_and_port_is_refused(api, host, path):
    answer = api.get(path, headers={"host": host.encode("latin-1")})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith(("application/problem+json", "text/html"))


@pytest.mark.parametrize("second", ["localhost", "evil.example", ""])
def test_two_host_headers_are_refused(api, second):
    answer = api.get("/v1/runs", headers=[("host", "localhost"), ("host", second)])
    assert answer.status_code == 400
    assert "2 Host headers" in answer.json()["detail"]


@given(st.ip_addresses(), st.one_of(st.just(""), st.integers(0, 65535).map(":{}".format)))
def test_addresses_come_back_from_hosts(address, port):
    shown = f"[{address}]" if address.version == 6 else str(address)
    assert ipaddress.ip_address(host_name(f"{shown}{port}")) == address
    assert is_outside(str(address)) is not is_loopback(str(address))


@given(st.from_regex(r"\[?(::1|127\.0\.0\.1|localhost)\]?[\w.:@\]\[/-]{1,12}", fullmatch=True))
def test_nothing_that_goes_on_after_a_name_of_the_loopback_is_one(host):
    name = host_name(host)
    if name is not None and is_loopback(name):
        assert name == "localhost" or ipaddress.ip_address(name).is_loopback
        assert host.lower().startswith((name, f"[{name}")) or ipaddress.ip_address(name)


def test_addresses_of_this_machine():
    assert is_loopback("::ffff:127.0.0.1")
    assert not is_outside("::ffff:127.0.0.1")
    assert is_outside("::ffff:10.0.0.1")
    assert all(map(is_this_machine, ("0.0.0.0", "::", "[::]", "::1", "127.0.0.1", "localhost")))
    assert not any(map(is_this_machine, ("10.0.0.1", "lab.example", "")))
    assert http_url("::1", 8000) == "http://[::1]:8000"
