"""How many columns of a terminal a text takes: East Asian letters take two, marks that join another letter none."""

from __future__ import annotations

# Marks above and below letters, and what cannot be seen; vowels and finals of Korean syllables join those too.
_MARKS = ("Mn", "Me", "Cf")
_WIDE = "WF"
# In narrower columns text is hard to read.
_NARROWEST = 24


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width  # noqa: PLC0415

    joined = (category(one) in _MARKS or "\u1160" <= one <= "\u11ff" for one in text)
    return sum(0 if joins else 1 + (east_asian_width(one) in _WIDE) for one, joins in zip(text, joined, strict=True))


def padded(text: str, columns: int) -> str:
    """Return a text with blanks after it, so that it takes at least so many columns."""
    return text + " " * (columns - width_of(text))


def beginning(text: str, columns: int) -> str:
    """Return the beginning of a text that takes at most so many columns."""
    taken = 0
    for number, one in enumerate(text):
        taken += width_of(one)
        if taken > columns:
            return text[:number]
    return text


def fitted(text: str, columns: int) -> list[str]:
    """Return a text as lines of at most so many columns; what cannot be broken may take more.

    Lines end between words, and between letters that take two columns. Fewer columns than 24 are taken for 24.
    """
    columns = max(columns, _NARROWEST)
    if width_of(text) == len(text):
        from textwrap import wrap  # noqa: PLC0415

        return wrap(text, columns, break_long_words=False, break_on_hyphens=False)
    lines = [""]
    for piece in _pieces(text):
        if lines[-1] and width_of(lines[-1] + piece.rstrip()) > columns:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines if line.strip()]


def _pieces(text: str) -> list[str]:
    """Return the parts of a text that stay whole: blanks, words, wide letters with the signs that close them."""
    from unicodedata import category, east_asian_width  # noqa: PLC0415

    found: list[str] = []
    before = ""
    for one in text:
        kind = "blank" if one.isspace() else "wide" if east_asian_width(one) in _WIDE else "word"
        joins = category(one) in (*_MARKS, "Po", "Pe", "Pf") and before in ("wide", "word")
        if found and (joins or (kind == before != "wide")):
            found[-1] += " " if kind == "blank" else one
        else:
            found.append(" " if kind == "blank" else one)
        before = before if joins else kind
    return found
