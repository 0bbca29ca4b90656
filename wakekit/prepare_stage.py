"""The prepare stage: corpus → audio store → splits → leakage check."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from wakekit.answers import as_one
from wakekit.audio import write_audio
from wakekit.data import SPLITS, Manifest
from wakekit.errors import PluginError, WakekitError, who
from wakekit.leakage import check_leakage
from wakekit.manifest import read_manifest, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.kinds import Corpus, Splitter
    from wakekit.progress import Progress
    from wakekit.settings import Audio

# Fewer keyword clips than this say nothing in any split.
FEWEST_POSITIVES = 5


def make_corpus(folder: Path, corpus: Corpus, options: Audio, progress: Progress) -> None:
    """Load the corpus and write `manifest.jsonl`, `audio.i16` and `spans.npy` into `folder`."""
    own = folder / "made"
    own.mkdir()
    manifest = as_one(corpus.load(own, progress), Manifest, who("corpus", corpus))
    manifest = write_audio(manifest, folder, options, progress)
    write_manifest(folder / "manifest.jsonl", manifest)
    # What a corpus made for itself lives on in the audio store.
    for path in sorted(own.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    own.rmdir()


def make_splits(folder: Path, corpus: Path, splitter: Splitter) -> None:
    """Split the corpus, check that nothing leaks, and write `manifest.jsonl` into `folder`."""
    whole = read_manifest(corpus / "manifest.jsonl")
    split = splitter.split(whole)
    _check_same_rows(whole, split, type(splitter).__name__)
    check_leakage(split)
    _check_positives(split)
    write_manifest(folder / "manifest.jsonl", split)


def _check_same_rows(before: Manifest, after: Manifest, name: str) -> None:
    if not isinstance(after, Manifest):
        raise PluginError(f"splitter {name}: expected a wakekit.Manifest, got {after!r:.80}")
    stripped = [attrs.evolve(row, split="") for row in after.rows()]
    if stripped != [attrs.evolve(row, split="") for row in before.rows()]:
        raise PluginError(f"splitter {name} changed, dropped or reordered rows; it may only set their split")
    wrong = [row for row in after.rows() if row.split not in SPLITS]
    if wrong:
        raise PluginError(
            f"splitter {name} left {len(wrong)} rows without a split of {', '.join(SPLITS)}, first {wrong[0].audio}"
        )


def _check_positives(manifest: Manifest) -> None:
    counts = Counter(clip.split for clip in manifest.clips if clip.pool == "positive")
    few = [split for split in SPLITS if counts[split] < FEWEST_POSITIVES]
    if few:
        found = ", ".join(f"{counts[split]} in {split}" for split in few)
        raise WakekitError(
            f"too few clips of {manifest.keyword!r} to train and judge on: {found}, at least {FEWEST_POSITIVES} needed "
            "in each split; record more, or change the splitter's shares"
        )
