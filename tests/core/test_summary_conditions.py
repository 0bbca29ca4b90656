"""The end of a run names where it is worst: the condition and the speaker, with counts and intervals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.report_support import edit, write_run
from wakekit.summary import print_summary
from wakekit.worst import worst_speaker

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pytest


def printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is printed, with spaces between words only."""
    print_summary(folder)
    return " ".join(capsys.readouterr().out.split())


def test_conditions_stand_worst_first_and_the_worst_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Test comes first, then the conditions by miss rate; sentences name condition and speakers as the files say."""
    folder = write_run(tmp_path / "run", listen=0)
    told = json.loads((folder / "metrics.json").read_text())
    out = printed(folder, capsys)
    table = out[out.index("test and its conditions") :]
    assert re.findall(r"│ (test|cafe|far-field|telephone) │", table) == ["test", "telephone", "cafe", "far-field"]
    everywhere, there = (worst_speaker(rows["speakers"]) for rows in (told, told["conditions"]["telephone"]))
    assert everywhere is not None
    assert there is not None
    assert " ".join(everywhere.sentence().split()) in out
    miss = told["conditions"]["telephone"]["metrics"]["misses"][0]
    bounds = f"{100 * miss['low']:.2f} to {100 * miss['high']:.2f} %"
    sentence = f"Worst condition is telephone: {100 * miss['value']:.2f} % missed (95 %: {bounds}). "
    assert sentence + "There: " + " ".join(there.sentence().split()) in out


def test_older_runs_and_equals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run without counts of speakers names none; conditions that miss alike are counted."""
    folder = write_run(tmp_path / "run", listen=0)

    def change(told: Any) -> None:
        told["conditions"]["hall"] = told["conditions"]["telephone"]
        for judged in (told, *told["conditions"].values()):
            judged.pop("speakers", None)

    edit(folder / "metrics.json", change)
    out = printed(folder, capsys)
    assert "Worst condition is hall, with 1 more alike: " in out
    assert "Worst speaker" not in out
