"""What an ablation found comes back from its file as it was, and a damaged file is one clear sentence."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ablation_support import ablation, grid
from wakekit.ablation.result import AblationResult, Answer, CellRecord, Effect, Term
from wakekit.ablation.saved import FILE, read_result, write_result
from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MAYBE = st.none() | NUMBER
BY_NAME = st.dictionaries(TEXT, NUMBER, max_size=2)
EFFECTS = st.builds(
    Effect, measure=TEXT, unit=TEXT, better=TEXT, value=MAYBE, low=MAYBE, high=MAYBE, level=NUMBER, p=MAYBE,
    adjusted_p=MAYBE, base=MAYBE, variant=MAYBE, spread=st.none() | st.tuples(NUMBER, NUMBER), parts=BY_NAME,
    degrees=MAYBE, note=TEXT,
)  # fmt: skip
TEXTS = st.lists(TEXT, max_size=2).map(tuple)
SEEDS = st.lists(st.integers(0, 2**53), max_size=3).map(tuple)
ANSWERS = st.builds(
    Answer, variant=TEXT, subject=TEXT, left_out=st.booleans(), changes=TEXTS, verdict=TEXT, sentence=TEXT,
    measure=TEXT, margin=NUMBER, effects=st.lists(EFFECTS, max_size=2).map(tuple), needed=TEXT, shares=TEXTS,
    seeds=SEEDS,
)  # fmt: skip
CELLS = st.builds(
    CellRecord, variant=TEXT, seed=st.integers(0), state=TEXT, folder=TEXT, reason=TEXT, seconds=MAYBE, made=TEXTS,
    measures=BY_NAME,
)  # fmt: skip
RESULTS = st.builds(
    AblationResult, name=TEXT, question=TEXT, fingerprint=TEXT, keyword=TEXT, judge=TEXT, mode=TEXT,
    target_fa_per_hour=NUMBER, level=NUMBER, seeds=SEEDS, answers=st.lists(ANSWERS, max_size=2).map(tuple),
    cells=st.lists(CELLS, max_size=2).map(tuple),
    terms=st.lists(st.builds(Term, name=TEXT, order=st.integers(1, 4), effect=EFFECTS), max_size=1).map(tuple),
    reused=st.dictionaries(TEXT, st.dictionaries(TEXT, st.integers(0), max_size=2), max_size=2), seconds=NUMBER,
    readings=st.dictionaries(TEXT, st.none() | TEXT | st.lists(TEXT, max_size=2), max_size=2), warnings=TEXTS,
    environment=st.dictionaries(TEXT, st.none() | TEXT | NUMBER | st.dictionaries(TEXT, TEXT), max_size=2),
    judged=BY_NAME,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RESULTS)
def test_a_result_comes_back_as_it_was(result: AblationResult) -> None:
    """Whatever was found is read back equal, and of the same types."""
    with tempfile.TemporaryDirectory() as place:
        write_result(Path(place), result)
        assert read_result(place) == result


@pytest.mark.parametrize("make", [ablation, grid])
def test_the_file_is_standard_json(tmp_path: Path, make: Callable[[], AblationResult]) -> None:
    """A whole ablation round-trips; the file names every field and holds nothing that JSON does not know."""
    result = make()
    path = write_result(tmp_path / "new", result)
    assert path == tmp_path / "new" / FILE
    assert read_result(tmp_path / "new") == result
    table = json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert set(table) == {field.name for field in attrs.fields(AblationResult)}
    assert [found.name for found in path.parent.iterdir()] == [FILE]


def test_what_cannot_be_had_is_null(tmp_path: Path) -> None:
    """A number that is not finite is written as null, or left out where it has only a name."""
    first = ablation().answers[0]
    effect = attrs.evolve(first.effects[0], low=-math.inf, p=math.nan, parts={"seeds": math.nan, "speakers": 0.5})
    cell = attrs.evolve(ablation().cells[0], measures={"eer": math.nan, "pauc": 0.9}, seconds=math.inf)
    write_result(tmp_path, ablation(answers=(attrs.evolve(first, effects=(effect,)),), cells=(cell,)))
    found = read_result(tmp_path)
    assert found.answers[0].effects[0] == attrs.evolve(effect, low=None, p=None, parts={"speakers": 0.5})
    assert found.cells[0] == attrs.evolve(cell, measures={"pauc": 0.9}, seconds=None)


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    """A folder that holds no ablation is named, with what is missing."""
    with pytest.raises(WakekitError, match=rf"expected the folder of an ablation, which holds {FILE}, got {tmp_path}"):
        read_result(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[:200], "JSONDecodeError"),
        (lambda _: "[]", "expected a table as ablation.json, got"),
        (lambda _: "\0", "JSONDecodeError"),
        ({"seconds": "long"}, "expected a number as seconds, got 'long'"),
        ({"seconds": True}, "expected a number as seconds, got True"),
        ({"seeds": [0.5]}, r"expected a whole number as seeds\[0\], got 0.5"),
        ({"seeds": [True]}, r"expected a whole number as seeds\[0\], got True"),
        ({"name": None}, "expected text as name, got None"),
        ({"answers": {}}, "expected a list as answers, got"),
        ({"answers": [{}]}, r"there is no variant in answers\[0\]"),
        ({"reused": {"train": {"cells": "3"}}}, "expected a whole number as reused.train.cells, got '3'"),
        ({"later": 1}, "there is an unknown 'later' in ablation.json"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, damage: Any, message: str) -> None:
    """The error says which value is wrong, in which file, and how to make it whole."""
    path = write_result(tmp_path, ablation())
    text = path.read_text(encoding="utf-8")
    path.write_text(damage(text) if callable(damage) else json.dumps({**json.loads(text), **damage}), encoding="utf-8")
    with pytest.raises(WakekitError, match=message) as caught:
        read_result(tmp_path)
    assert str(path) in str(caught.value)
    assert "typed again" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_spread_has_two_values(tmp_path: Path) -> None:
    """Values of which there must be two are not taken where there are three."""
    path = write_result(tmp_path, ablation())
    table = json.loads(path.read_text(encoding="utf-8"))
    table["answers"][0]["effects"][0]["spread"] = [1, 2, 3]
    path.write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(WakekitError, match=r"expected 2 values as answers\[0\].effects\[0\].spread, got 3"):
        read_result(tmp_path)


def test_a_result_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """What cannot be written leaves the file that was there."""
    write_result(tmp_path, grid())
    with pytest.raises(TypeError):
        write_result(tmp_path, ablation(environment={"odd": object()}))
    assert read_result(tmp_path) == grid()
