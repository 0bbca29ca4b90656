"""A report's page, taken apart: its elements, its text, the rows of its tables."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from wakekit.run_folder import read_run
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
    from pathlib import Path

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """A page taken apart: its tags with their attributes, its text, and the rows of its tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._open: list[str] = []
        self._cell: list[str] | None = None
        self._label = ""
        self.feed(html)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Note an element, and where in a table it is."""
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "div" and "scroll" in found.get("class", ""):
            self._label = found["aria-label"]
            self.tables.setdefault(self._label, [])
        elif tag == "tr":
            self.tables[self._label].append([])
        elif tag in {"td", "th"}:
            self._cell = []

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """Note an element that has no end."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Check that elements end in order."""
        assert self._open.pop() == tag
        if tag in {"td", "th"}:
            self.tables[self._label][-1].append(said("".join(self._cell or [])))
            self._cell = None

    def handle_data(self, data: str) -> None:
        """Gather text."""
        if self._cell is not None:
            self._cell.append(data)
        if self._open and self._open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that a person reads."""
        return said(" ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every element of a tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def headings(self) -> list[int]:
        """Return the levels of the headings in order."""
        return [int(tag[1]) for tag, _ in self.tags if re.fullmatch("h[1-6]", tag)]


def said(text: str) -> str:
    """Return text as it reads: one space where there is any, the space before a unit too."""
    return " ".join(text.replace("\u00a0", " ").split())


def written(folder: Path, **options: int) -> Page:
    """Write the report of a run and take it apart."""
    return Page(Html(**options).write(read_run(folder), folder).read_text(encoding="utf-8"))
