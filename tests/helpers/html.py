"""A page as a browser reads it: its elements with their attributes, and its texts."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_EMPTY = ("meta", "link", "input", "img", "source", "br", "hr", "wbr")


@dataclass
class Element:
    """An element with what stands in it, elements and texts alike."""

    tag: str
    attributes: dict[str, str | None]
    content: "list[Element | str]" = field(default_factory=list["Element | str"])

    @property
    def text(self) -> str:
        """All text within."""
        return "".join(part if isinstance(part, str) else part.text for part in self.content)

    def all(self, tag: str, **attributes: str) -> "list[Element]":
        """Elements within that have a tag and these attributes."""
        inner = [part for part in self.content if isinstance(part, Element)]
        mine = [one for one in inner if one.tag == tag and attributes.items() <= one.attributes.items()]
        return mine + [found for one in inner for found in one.all(tag, **attributes)]

    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Tags and names of attributes, in their order; what user texts must never change."""
        inner = [part for part in self.content if isinstance(part, Element)]
        return [(self.tag, tuple(self.attributes)), *(line for one in inner for line in one.skeleton())]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.open[-1].content.append(element)
        if tag not in _EMPTY:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].content.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.open[-1].content.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")


def parsed(page: str) -> Element:
    """The document of a page; fails where elements are not closed as they were opened."""
    builder = _Builder()
    builder.feed(page)
    builder.close()
    (document,) = builder.open
    return document


def kept(text: str) -> str:
    """What an element that keeps lines (pre, textarea) holds: HTML drops a line end right after its start."""
    return text.removeprefix("\n")
