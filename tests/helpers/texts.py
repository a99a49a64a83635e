"""Texts as people type and paste them: markup of many languages, other scripts, marks that nobody sees."""

from hypothesis import strategies as st

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>",
    "</title></textarea></pre></bdi><b>&amp;&#60; <!-- --> <![CDATA[ ]]>",
    "US$ 5% of $x_1^2$ \\alpha $(reboot) `id` ${HOME} %s {0} {{ 7*7 }}",
    "[bold]loud[/bold] [/nope] :smile: \\[x]",
    "日本語の名前 中文 한국어 🎉👩‍💻🏳️‍🌈",
    "ab\u202etxt.exe \u2066x\u2069 \u200f\u200e\u061c",
    "שלום עולם (1) العربية, 3",
    "one\ntwo\r\nthree\rfour\u2028five\u2029six\x85seven\x0b\x0ceight",
    "\n\nbegins and ends with line ends\n",
    "\x1b[31mred\x1b[0m \x07\x08\x7f\x9b1m \x1b]0;title\x07",
    "=1+1, @SUM(A1), -1, +1; 'x', \"y\"\t|",
    "e\u0301\u0301\u0301 \ufeff\u00ad\u200b\ufffd\ufffe\U000e0041",
    "\u3164",
    "  ",
    "x" * 10_000,
    "",
)
"""Each is refused, or comes back as it was sent, wherever it comes out."""

letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def texts(most: int = 200) -> st.SearchStrategy[str]:
    """Any text without a NUL, which the service refuses, of so many characters."""
    pieces = st.sampled_from([text for text in HOSTILE if len(text) < most]) | st.text(letters, max_size=20)
    return st.lists(pieces, max_size=4).map(lambda parts: "".join(parts)[:most])
