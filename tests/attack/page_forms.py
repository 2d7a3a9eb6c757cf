"""The forms of the clerk's page, as a browser has them: they can be kept, and sent when the page shows something else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

EMPTY = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
CARDS = ("tbody", "article", "li", "section")  # what a form of the page stands in, the closest first


@dataclass(eq=False)
class Node:
    """An element of a page."""

    tag: str
    attributes: dict[str, str]
    parent: Node | None = field(default=None, repr=False)
    children: list[Node | str] = field(default_factory=list, repr=False)

    def list_nodes(self) -> Iterator[Node]:
        """Yield the element and all below it."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.list_nodes()

    def list_all(self, tag: str, **attributes: str) -> list[Node]:
        """Return the elements of this tag whose attributes contain these words."""
        wanted = {name.rstrip("_").replace("_", "-"): word for name, word in attributes.items()}
        return [
            node
            for node in self.list_nodes()
            if node.tag == tag
            and all(word in node.attributes.get(name, "").split() for name, word in wanted.items())
        ]

    def get_card(self) -> Node:
        """Return the closest card, row or entry of a list that holds the element; the page where there is none."""
        node = self
        while node.parent is not None and node.tag not in CARDS:
            node = node.parent
        return node

    @property
    def text(self) -> str:
        """What is read."""
        parts = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join(" ".join(parts).split())

    @property
    def pictures(self) -> list[str]:
        """The digests of the pictures that are shown."""
        sources = (node.attributes.get("src", "") for node in self.list_all("img"))
        return [source.rpartition("/")[2] for source in sources]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self._open = Node("page", {})

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs}, self._open)
        self._open.children.append(node)
        if tag not in EMPTY:
            self._open = node

    def handle_endtag(self, tag: str) -> None:
        node: Node | None = self._open
        while node is not None and node.tag != tag:
            node = node.parent
        if node is not None and node.parent is not None:
            self._open = node.parent

    def handle_data(self, data: str) -> None:
        self._open.children.append(data)


def read_page(text: str) -> Node:
    """Return a page, or a part of one."""
    builder = _Builder()
    builder.feed(text)
    return builder.root


@dataclass(frozen=True)
class Form:
    """A form with what it holds already, and the card that it was shown in."""

    action: str
    values: dict[str, str]  # hidden and typed
    options: list[tuple[str, str]]  # of its choice: value, and what is read
    choice: str  # the field of the choice
    buttons: list[tuple[str, str]]  # name and value
    node: Node = field(repr=False)

    @property
    def card(self) -> Node:
        """What the form was shown in."""
        return self.node.get_card()


def list_forms(page: Node, action: str = "") -> list[Form]:
    """Return the forms of a page that go to an address."""
    forms = (_read_form(node) for node in page.list_all("form"))
    return [form for form in forms if form.action == action or not action]


def _read_form(node: Node) -> Form:
    inputs = [one.attributes for one in node.list_all("input")]
    values = {
        one["name"]: one.get("value", "")
        for one in inputs
        if one.get("type") not in {"checkbox", "radio"} and one.get("name", "change_token") != "change_token"
    }
    selects = node.list_all("select")
    options = [
        (one.attributes.get("value", ""), one.text) for select in selects for one in select.list_all("option")
    ]
    buttons = [
        (one.attributes["name"], one.attributes.get("value", ""))
        for one in node.list_all("button")
        if "name" in one.attributes
    ]
    choice = selects[0].attributes["name"] if selects else ""
    return Form(node.attributes.get("action", ""), values, options, choice, buttons, node)
