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


def test_what_a_search_chose_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The settings taken stand under the threshold, with what choosing among several makes of dev's numbers."""
    folder = write_run(tmp_path / "run", listen=0)

    def change(found: dict[str, Any], optimism: str) -> str:
        point = {"detector": found, "optimism": optimism}
        edit(folder / "metrics.json", lambda told: told["operating_point"].update(point))
        return printed(folder, capsys)

    assert "Taken:" not in change({}, "")
    found = {"window": 4, "average": "log-odds"}
    out = change(found, "Chosen on dev among 6 settings of the detector, which flatters it.")
    assert '6 settings of the detector, which flatters it. Taken: window = 4, average = "log-odds".' in out


def test_large_counts_are_written_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts and rates have no exponent, however many there are."""
    folder = write_run(tmp_path / "run", listen=0)

    def change(told: Any) -> None:
        counts = {"clips": 123456, "positives": 20480}
        told["metrics"]["cells"] = [
            {"name": "confusion-tn", "value": 102976, "unit": "clips", "counts": counts},
            {"name": "fa", "value": 12345.6, "unit": "1/h", "low": 11999.7, "high": 13000.2, "counts": {}},
        ]
        for measures in told["metrics"].values():
            for measure in measures:
                for name, empty in (("low", None), ("high", None), ("method", ""), ("note", "")):
                    measure.setdefault(name, empty)

    edit(folder / "metrics.json", change)
    out = printed(folder, capsys)
    assert "102976 clips" in out
    assert "123456 clips, 20480 positives" in out
    assert "12346 per hour │ 12000 to 13000 per hour" in out
