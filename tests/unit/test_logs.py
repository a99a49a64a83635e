"""One event, one line, whatever is said in it."""

import io
import json
import logging
import re

import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from service.processes.logs import renderers, take_over_libraries
from tests.helpers.logs import said
from tests.helpers.texts import HOSTILE, texts

COLOURS = re.compile("\x1b\\[[0-9;]*m")
HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
said_of = st.fixed_dictionaries({"event": texts(), "name": texts(), "path": texts(), "tags": st.lists(texts())})


def rendered(event, is_terminal):
    steps = [structlog.processors.add_log_level, *renderers(is_terminal)]
    for step in steps:
        event = step(logging.getLogger("test"), "warning", event)
    return event


@given(said_of, st.booleans())
@example({"event": HOSTILE[7], "name": HOSTILE[8], "path": HOSTILE[9], "tags": list(HOSTILE)}, True)
@example({"event": HOSTILE[7], "name": HOSTILE[8], "path": HOSTILE[9], "tags": list(HOSTILE)}, False)
def test_an_event_is_one_line_and_moves_nothing(event, is_terminal):
    line = rendered(dict(event), is_terminal)
    assert line.splitlines() == [line]
    assert not HIDDEN.search(COLOURS.sub("", line) if is_terminal else line)
    if not is_terminal:
        assert json.loads(line) == {**event, "level": "warning"}


def test_the_lines_of_a_traceback_stay_and_obey_nothing():
    event = {"event": "failed", "exception": "Traceback\n  line 1\nValueError: \x1b[2J\u202eb"}
    said = COLOURS.sub("", rendered(event, True))
    assert said.splitlines()[1:] == ["Traceback", "  line 1", r"ValueError: \x1b[2J\u202eb"]


def test_what_libraries_say_is_escaped_too(monkeypatch):
    from service.processes import logs

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    root, handlers = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    try:
        logs.configure("test")
        logging.getLogger("library").warning("a name: %s", "one\ntwo\u202e")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    said = COLOURS.sub("", terminal.getvalue())
    assert r"a name: one\ntwo\u202e" in said
    assert len(said.splitlines()) == 1


def test_a_worker_that_ends_slowly_is_no_warning():
    take_over_libraries()
    with said() as lines:
        for line in ("Worker process still alive after 4.0 seconds, killing", "Worker exceeded 95% memory budget"):
            logging.getLogger("distributed.nanny").warning(line)
    assert lines == ["Worker exceeded 95% memory budget"]
