"""The verdicts in Markdown, as a renderer of its own reads them."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.ablation_support import LONG, NASTY, ablation, grid
from wakekit.ablation import words
from wakekit.ablation.markdown import table

READER = MarkdownIt("commonmark").enable("table")


def cells(markdown: str) -> list[list[list[str]]]:
    """Return the text of each cell of each table; nothing in a cell may be more than text."""
    tables: list[list[list[str]]] = []
    for token in READER.parse(markdown):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type == "inline" and token.level >= 4:
            assert {child.type for child in token.children or ()} <= {"text"}, token.content
            tables[-1][-1].append("".join(child.content for child in token.children or ()))
    return tables


def test_each_answer_is_a_row() -> None:
    """A row holds subject, verdict, difference with interval, both measures, seeds and p, what helps most first."""
    (rows,) = cells(table(ablation()))
    head, *body = rows
    assert head == ["in question", "verdict", "measure", "difference [95 % interval]", "recipe → variant", "seeds",
                    "p (Holm)"]  # fmt: skip
    assert [row[0] for row in body] == [answer.subject for answer in words.ranked(ablation().answers)]
    told = [[cell.replace(words.MINUS, "-") for cell in row] for row in body]
    assert told[0][:4] == ["normalizer (cmvn)", "helps", "miss rate", "-3.1 points [-5.2, -1.0]"]
    assert told[0][4:] == ["8.2 % → 11.3 %", "5", "0.007"]
    assert told[4][2:] == ["Brier score", "-0.0087 [-0.0121, -0.0053]", "0.0214 → 0.0301", "5", "<0.001"]
    dash = words.DASH
    assert body[6] == [NASTY, "failed", "miss rate", dash, dash, "0", dash]
    assert LONG in [row[0] for row in body]


def test_what_they_rest_on_stands_below() -> None:
    """Below the table one paragraph says split, target, seeds, level and the correction; the text ends in a newline."""
    found = table(ablation())
    assert found.endswith("\n")
    assert found.split("\n\n")[-1].strip() == words.basis(ablation())


def test_a_grid_adds_its_effects() -> None:
    """One measure that decides all stands in the head; main effects and interactions have a table of their own."""
    first, second = cells(table(grid()))
    assert first[0][2] == "difference in miss rate [95 % interval]"
    assert second[1:] == [
        ["sampler", f"+1.6 points [{words.MINUS}0.1, +3.3]", "0.062"],
        ["normalizer", "+3.9 points [+2.2, +5.6]", "<0.001"],
        ["sampler × normalizer", f"+1.6 points [{words.MINUS}1.8, +5.0]", "0.340"],
    ]


@settings(max_examples=60)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"]), min_size=1))
def test_any_name_stays_text(name: str) -> None:
    """Whatever a variant is called, it is one cell of text, spaces aside."""
    if not name.strip():
        return
    answer = attrs.evolve(ablation().answers[0], subject=name)
    (rows,) = cells(table(ablation(answers=(answer,))))
    assert rows[1][0].split() == name.split()
    assert len(rows[1]) == len(rows[0])
