"""Exporting: what was written is compared with what was trained, and refused unless it says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.support import add_plugin
from wakekit.errors import PluginError
from wakekit.fingerprint import Contents, stage_fingerprints
from wakekit.parity import ParityAudio, made_audio, measure_parity, parity_audio
from wakekit.prepared import Prepared
from wakekit.recipe import load_recipe
from wakekit.registry import installed
from wakekit.variant_recipes import optional_parts

if TYPE_CHECKING:
    from tests.support import Answer, Typed

# Its file is honest about one thing alone, how far off it is; the network it keeps in memory.
STRANGER = '''
import json, pickle
from pathlib import Path
import attrs, torch
from wakekit import Component, WakekitError, hookimpl, option
KEPT, CALLS = [], []
@attrs.frozen
class Kept:
    """Keep the module, and write how far off it shall be."""
    off: float = option(0.0, at_least=-1, at_most=1, help="added to every probability")
    tolerance: float = option(1e-3, above=0, at_most=1, help="largest difference")
    sort: str = option("", help="what goes wrong")
    more: bool = option(False, help="write a second file")
    def check(self):
        if self.sort == "unable": raise WakekitError("exporter kept: no licence here; buy one")
        if self.sort == "clumsy": raise KeyError("oops")
    def export(self, shipped, folder):
        CALLS.append(self)
        assert not shipped.training and list(folder.iterdir()) == []
        assert not any(weights.requires_grad for weights in shipped.parameters())
        KEPT[:] = [shipped]
        path = folder / "net" / "off.json"
        path.parent.mkdir()
        path.write_text(json.dumps(self.off))
        if self.more: (folder / "more.txt").write_text("more")
        if self.sort == "broken": raise KeyError("oops")
        if self.sort == "pickle": path.write_bytes(pickle.dumps([1.0]))
        if self.sort == "archive": torch.save([1.0], path)
        if self.sort == "elsewhere": return Path(__file__)
        if self.sort == "number": return 3
        if self.sort == "nothing": return folder / "none"
        return path
    def load(self, path):
        if self.sort == "nan": return lambda rows: torch.full((len(rows),), torch.nan)
        if self.sort == "shape": return lambda rows: torch.zeros(len(rows), 1)
        if self.sort == "lonely": return lambda rows: KEPT[0].probabilities(rows) + (len(rows) == 1)
        off = json.loads(path.read_text())
        return lambda rows: KEPT[0].probabilities(rows) + off
@attrs.frozen
class Here:
    """Do jobs in this process."""
    def launch(self, jobs, watch, *, workers):
        from wakekit.launching import packed, unpacked, work
        for job in jobs:
            watch.started(job)
            watch.ended(job, unpacked(work(packed(job))))
@hookimpl
def wakekit_components():
    yield Component("exporter", "kept", "stranger_export:Kept", summary="keeps the module")
    yield Component("launcher", "here", "stranger_export:Here", summary="jobs in this process")
'''


@pytest.fixture
def exporting(site: Path, recipe_file: Path) -> Path:
    """The tiny recipe with a stranger's exporter."""
    add_plugin(site, "stranger-export", STRANGER)
    recipe_file.write_text(recipe_file.read_text() + '\n[exporters.mine]\ntype = "kept"\n')
    return recipe_file


def changed(**options: object) -> tuple[str, str]:
    """Return the change of the exporter's options."""
    written = ", ".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
    return "--set", f"exporters.mine={{type = 'kept', {written}}}"


def folder_of(answer: Answer) -> Path:
    """Return the run's folder as the summary names it."""
    (line,) = [line for line in answer.out.splitlines() if line.startswith("results of ")]
    return Path(line.removeprefix("results of "))


def test_a_run_exports_compares_and_says_so(exporting: Path, store: Path, typed: Typed) -> None:
    """Over windows of both classes, silence and full scale; reused the second time, done again for other options."""
    answer = typed("run", exporting, "--out", store, *changed(more=True))
    assert answer.code == 0, answer.err
    run = folder_of(answer)
    parity = json.loads((run / "export" / "mine" / "parity.json").read_text())
    point = json.loads((run / "operating_point.json").read_text())
    assert parity["file"] == "net/off.json"
    assert parity["keyword_windows"] >= 8
    assert parity["other_windows"] >= 8
    assert parity["windows"] == parity["keyword_windows"] + parity["other_windows"] + 4
    assert parity["largest_difference"] <= 1e-6
    assert parity["decisions_differ"] == 0
    assert parity["threshold"] == point["threshold"]
    assert f"exported: {run / 'export' / 'mine' / 'net' / 'off.json'} (3 B)" in answer.out
    assert f"so do 0 of {parity['windows']} decisions at the threshold" in answer.out
    environment = json.loads((run / "environment.json").read_text())
    assert "export-mine" in environment["stages"]
    again = typed("run", exporting, "--out", store, *changed(more=True))
    assert "export-mine: reused" in again.err
    other = typed("run", exporting, "--out", store, *changed(off=1e-4))
    assert "export-mine: reused" not in other.err
    assert "train: reused" in other.err
    assert folder_of(other) == folder_of(answer)
    kept = {path.relative_to(run / "export").as_posix() for path in (run / "export").rglob("*") if path.is_file()}
    assert kept == {"mine/net/off.json", "mine/parity.json"}
    assert json.loads((run / "export/mine/parity.json").read_text())["largest_difference"] == pytest.approx(
        1e-4, rel=0.01
    )
    without = typed("run", exporting, "--out", store, "--unset", "exporters.mine")
    assert folder_of(without) == folder_of(answer)
    assert not list((run / "export").glob("*"))
    assert "exported" not in without.out


def test_what_is_not_the_model_is_refused(exporting: Path, store: Path, typed: Typed) -> None:
    """Beyond the tolerance: one sentence and a failure; the results stay, an export from before does not."""
    before = folder_of(typed("run", exporting, "--out", store))
    assert (before / "export" / "mine" / "net" / "off.json").is_file()
    answer = typed("run", exporting, "--out", store, *changed(off=0.0011))
    assert answer.code == 1
    sentence = answer.err.splitlines()[-1]
    assert "exporters.mine: what was written is not the model that was trained" in sentence
    assert "differ by up to 0.0011 on " in sentence
    assert "0.001 is its tolerance" in sentence
    assert (before / "metrics.json").is_file()
    assert not list((before / "export").glob("*"))
    wider = typed("run", exporting, "--out", store, *changed(off=0.0011, tolerance=0.0012))
    assert wider.code == 0, wider.err


@pytest.mark.parametrize(
    ("sort", "code", "said"),
    [
        ("nan", 1, "differ by up to inf"),
        ("lonely", 1, "differ by up to 1 on"),
        ("shape", 3, "exporter mine (Kept of stranger_export): expected a tensor of"),
        ("broken", 3, "exporter mine (Kept of stranger_export) failed: KeyError: 'oops'"),
        ("pickle", 3, "exporter mine (Kept of stranger_export): it wrote a pickle, off.json"),
        ("archive", 3, "exporter mine (Kept of stranger_export): it wrote a pickle, off.json"),
        ("elsewhere", 3, "exporter mine (Kept of stranger_export): expected the file that it wrote into"),
        ("number", 3, "exporter mine (Kept of stranger_export): expected the file that it wrote, got 3"),
        ("nothing", 3, "exporter mine (Kept of stranger_export): expected the file that it wrote into"),
    ],
)
def test_what_goes_wrong_is_told_with_its_place(
    sort: str, code: int, said: str, exporting: Path, store: Path, typed: Typed
) -> None:
    """T33: pickles are refused; so is whatever gives no number for each row; and nothing is left of it."""
    answer = typed("run", exporting, "--out", store, *changed(sort=sort))
    assert answer.code == code
    assert said in answer.err
    assert "Traceback" not in answer.err
    folder = max(store.glob("tiny-*"), key=lambda path: path.stat().st_mtime)  # tests of other files share the store
    assert not list((folder / "export").glob("*"))


def test_recipes_that_cannot_be_exported_are_refused_by_check(exporting: Path, typed: Typed, tmp_path: Path) -> None:
    """All mistakes at once, with their places, and before anything is done."""
    shift = ("--set", "scorer={type='tta', shifts=[0.0], speeds=[1.0]}")
    more = ("--set", "exporters.'../up'={type='kept', sort='clumsy'}")
    for command in (("check", exporting), ("run", exporting, "--out", tmp_path / "runs")):
        answer = typed(*command, *changed(sort="unable"), *shift, *more)
        assert answer.code == 2
        assert "exporters.mine.type: exporter kept: no licence here; buy one" in answer.err
        assert "the threshold is chosen for scores of 'tta', and an exported model gives those of 'plain'" in answer.err
        assert "expected an id that can name a folder, got '../up'" in answer.err
        assert "exporter ../up (Kept of stranger_export) failed: KeyError: 'oops'" in answer.err
        assert not list((tmp_path / "runs").glob(".store/*/*"))
    assert typed("check", exporting).code == 0
    told = json.loads(typed("check", exporting, "--format", "json", *changed(sort="unable")).out)
    assert [mistake["path"] for mistake in told["mistakes"]] == ["exporters.mine.type"]


def test_folds_and_ablations_export_nothing(exporting: Path, store: Path, typed: Typed) -> None:
    """They measure recipes; even an exporter that cannot work here does not keep them from that."""
    ablate = '\nlauncher = "here"\n[ablate]\nseeds = [3]\njudge = "test"\nmode = "leave-one-out"\n'
    exporting.write_text(exporting.read_text().replace("\n[corpus]", ablate + 'leave_out = ["normalizer"]\n[corpus]'))
    threads = torch.get_num_threads()
    try:
        answer = typed("ablate", exporting, "--out", store, *changed(sort="unable"))
    finally:
        torch.set_num_threads(threads)
    assert answer.code == 0, answer.err
    outcomes = [json.loads(path.read_text()) for path in store.glob("tiny-ablation-*/**/outcome.json")]
    assert [outcome["state"] for outcome in outcomes] == ["done"] * 2
    assert {"train", "evaluate"} <= {stage for outcome in outcomes for stage in outcome["made"]}
    folds = ("--folds", "--set", "splitter={type='k-fold', folds=3}", "--unset", "ablate", "--set", "train.epochs=1")
    answer = typed("run", exporting, *folds, "--out", store, *changed(sort="unable"))
    assert answer.code == 0, answer.err
    assert "no fold is exported" in answer.err
    assert "export-" not in answer.err
    assert not [path for path in store.glob("tiny-*/export/*") if path.is_dir()]


def test_an_exporter_changes_no_result(exporting: Path, typed: Typed, tmp_path: Path) -> None:
    """Neither a stage's fingerprint nor what an ablation compares; a variant may not differ by it alone."""
    memory = Contents(tmp_path / "memory")
    recipes = [load_recipe(exporting, installed(), drops=drops) for drops in ((), ("exporters.mine",))]
    prints, plain = (stage_fingerprints(recipe, memory) for recipe in recipes)
    assert prints.pop("export-mine") not in plain.values()
    assert prints == plain
    assert "exporters.mine" not in optional_parts(recipes[0])
    answer = typed("check", exporting, "--set", "ablate={leave_out=['exporters.mine'], seeds=[1]}")
    assert answer.code == 2
    assert "changes nothing" in answer.err


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ("train.epochs=1", True), ("calibrator='none'", True), ("operating_point.fa_per_hour=91", True),
        ("exporters.mine={type='kept', off=0.5}", True), ("metrics.eer.type='eer'", False), ("threads=2", False),
    ],
)  # fmt: skip
def test_its_fingerprint_covers_what_it_writes(change: str, *, again: bool, exporting: Path, tmp_path: Path) -> None:
    """Training, calibration, operating point and its own options; not what is measured, nor the id it goes by."""
    memory = Contents(tmp_path / "memory")

    def print_of(*changes: str) -> str:
        return stage_fingerprints(load_recipe(exporting, installed(), changes=changes), memory)["export-mine"]

    assert (print_of(change) != print_of()) == again
    renamed = load_recipe(exporting, installed(), changes=["exporters.other.type='kept'"])
    assert stage_fingerprints(renamed, memory)["export-other"] == print_of()


@given(
    expected=st.lists(st.floats(0, 1), min_size=1, max_size=20), seed=st.integers(0, 99), threshold=st.floats(0, 1),
    scale=st.floats(0, 0.1),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_parity_counts_what_differs(expected: list[float], seed: int, threshold: float, scale: float) -> None:
    """T32: the largest difference of a probability, and the decisions that differ where it matters, against NumPy."""
    meant = np.array(expected)
    found = meant + scale * np.random.default_rng(seed).standard_normal(len(meant))
    rows = ParityAudio(torch.arange(len(meant), dtype=torch.float32)[:, None], 0, 0)

    def run(audio: Tensor) -> Tensor:
        return torch.from_numpy(found)[audio[:, 0].long()]

    held = measure_parity(run, rows, torch.from_numpy(meant), threshold=threshold, tolerance=0.05, name="exporters.a")
    assert held.largest_difference == np.abs(found - meant).max()
    assert held.decisions_differ == int(((found >= threshold) != (meant >= threshold)).sum())
    assert held.accepted == int((meant >= threshold).sum())
    assert held.holds == (np.abs(found - meant).max() <= 0.05)


def test_what_gives_no_tensor_is_refused() -> None:
    """Naming the exporter and what came instead."""
    rows = ParityAudio(torch.zeros(2, 1), 0, 0)
    with pytest.raises(PluginError, match=r"exporters\.a: expected a tensor of 2 probabilities .* got list"):
        measure_parity(lambda _: [0.5, 0.5], rows, torch.zeros(2), threshold=0.5, tolerance=1, name="exporters.a")  # type: ignore[arg-type, return-value]


def test_windows_are_those_of_dev(exporting: Path, store: Path, typed: Typed) -> None:
    """The last of a clip, after silence where it is shorter; of longer clips one more, from the middle."""
    run = folder_of(typed("run", exporting, "--out", store))
    stages = json.loads((run / "environment.json").read_text())["stages"]
    corpus, prepare = (store / ".store" / name / stages[name][:32] for name in ("corpus", "prepare"))
    dev = Prepared(corpus, prepare / "manifest.jsonl", 16000).open("dev")
    samples = 8000
    rows = parity_audio(dev, samples)
    number = next(index for index, clip in enumerate(dev.clips.rows) if clip.label == "chirp")
    start, length = int(dev.clips.starts[number]), int(dev.clips.lengths[number])
    assert length < samples
    expected = np.pad(dev.audio[start : start + length].numpy() / 32768, (samples - length, 0))
    assert np.array_equal(rows.audio[0].numpy(), expected.astype(np.float32))
    noises = [index for index, clip in enumerate(dev.clips.rows) if clip.pool == "background"]
    assert rows.others == sum(clip.label != "chirp" for clip in dev.clips.rows) + len(noises)
    assert torch.equal(rows.audio[-4:], made_audio(samples))
    assert float(rows.audio.abs().max()) == 1.0
    assert len({row.numpy().tobytes() for row in rows.audio}) == len(rows.audio)
