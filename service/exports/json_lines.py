"""JSON on one line for every reader: some end lines at more characters than the format does."""

_LINE_ENDS = {b"\xc2\x85": b"\\u0085", b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029"}
"""What `str.splitlines` takes for line ends and JSON need not escape: NEL, and Unicode's separators."""


def on_one_line(json: bytes) -> bytes:
    """The same JSON, as UTF-8, with these characters escaped; they stand in texts alone."""
    for raw, escaped in _LINE_ENDS.items():
        json = json.replace(raw, escaped)
    return json
