"""Colours for a recipe's TOML: tables, keys, texts, numbers and comments."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_TOKEN = re.compile(
    r"(?P<comment>\#.*)"
    r"|(?P<table>^\s*\[\[?[^\]\n]*\]\]?(?=\s*(?:\#.*)?$))"
    r"|(?P<key>^\s*[\w.\-\"']+(?=\s*=))"
    r"|(?P<text>\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')"
    r"|(?P<number>(?<![\w.])[-+]?\d[\d_.]*(?:[eE][-+]?\d+)?(?![\w.])|\b(?:true|false)\b)",
    re.MULTILINE,
)


def highlighted(toml: str) -> Markup:
    """Return TOML as markup, each token in a span of its class; what is in the text itself is escaped."""
    parts, end = [], 0
    for found in _TOKEN.finditer(toml):
        parts.append(escape(toml[end : found.start()]))
        parts.append(Markup('<span class="t-{}">{}</span>').format(found.lastgroup, found[0]))
        end = found.end()
    return Markup("").join([*parts, escape(toml[end:])])
