"""Run a recipe in seconds: its own components on a tiny made-up corpus, to see that they work together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wakekit.pipeline import run
from wakekit.progress import Silence
from wakekit.recipe import load_recipe
from wakekit.registry import installed
from wakekit.run_folder import Run, read_run
from wakekit.testing.chirps import KEYWORD, SPEAKER, write_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SMALL = (
    "threads=1",
    "device='cpu'",
    "window.seconds=0.5",
    "train.epochs=1",
    "compose.minutes=0.2",
    "operating_point.fa_per_hour=90",
)


def carry_out(recipe: str | Path, folder: Path, *, changes: Sequence[str], own_corpus: bool) -> Run:
    """Run a recipe on a tiny corpus, as `wakekit.testing.rehearse` says; return the finished run."""
    edits = list(_SMALL)
    if not own_corpus:
        chirps = folder / "chirps"
        if not chirps.exists():
            write_corpus(chirps)
        path, speaker = json.dumps(str(chirps)), json.dumps(SPEAKER)
        edits.append(f"corpus={{type='folder', path={path}, keyword='{KEYWORD}', speaker={speaker}}}")
    found = load_recipe(recipe, installed(), changes=[*edits, *changes])
    return read_run(run(found, folder / "runs", Silence()).folder)
