"""The command line as people meet it: on a screen of a width, and through pipes."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios


def command(*arguments):
    return [sys.executable, "-m", "service.cli", *arguments]


def environment(server):
    kept = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return {**kept, "RANKWARD_URL": server.url, "TERM": "xterm"}


def on_screen(server, width, *arguments):
    """What a terminal of a width shows, without colours."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    process = subprocess.Popen(command(*arguments), stdin=inner, stdout=inner, stderr=inner, env=environment(server))
    os.close(inner)
    shown = b""
    try:
        while part := os.read(outer, 65536):
            shown += part
    except OSError:  # how Linux says that nobody writes any more
        pass
    os.close(outer)
    assert process.wait(60) == 0, shown
    return re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r", "")


def piped(server, *arguments):
    ended = subprocess.run(
        command(*arguments), env=environment(server), capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in ended.stderr
    return ended
