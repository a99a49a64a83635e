"""The socket of a server: patience with a port that is being freed, and none with what will not change."""

import errno
import os
import re
import socket
import threading
import time

import pytest

from service.processes.listening import CannotServe, listen


@pytest.mark.parametrize(
    ("host", "reason"), [("192.0.2.1", "Cannot assign requested address"), ("nowhere.invalid", "")]
)
def test_an_address_of_another_machine_is_refused_at_once(host, reason):
    begun = time.monotonic()
    with pytest.raises(CannotServe, match=rf"Cannot listen on {host}:1 \(.*{reason}.*\); give another --host"):
        listen(host, 1, 30)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "take another --port"),
        (errno.EADDRNOTAVAIL, "give another --host"),
        (errno.EAFNOSUPPORT, "give another --host"),
        (errno.EINVAL, "give another --host"),
    ],
)
def test_only_a_taken_port_is_waited_for(monkeypatch, number, advice):
    def refuse(*_, **__):
        raise OSError(number, "told with an address")

    monkeypatch.setattr(socket, "create_server", refuse)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("nothing to wait for"))
    with pytest.raises(CannotServe, match=re.escape(f"({os.strerror(number)}); {advice}.")):
        listen("127.0.0.1", 1, 30)


def test_a_port_is_waited_for(capsys):
    held = socket.create_server(("127.0.0.1", 0))
    port = held.getsockname()[1]
    threading.Timer(1, held.close).start()
    with listen("127.0.0.1", port, 30) as taken:
        assert taken.getsockname()[1] == port
    assert capsys.readouterr().out.count("the port is taken; waiting until it is free") == 1


def test_a_port_that_stays_taken_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(CannotServe, match=r"\(Address already in use\); take another --port"):
            listen("127.0.0.1", port, 0)
