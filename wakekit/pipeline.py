"""The stages of a run, one after the other; reads like the list of stages.

A stage whose fingerprint is in the store is reused. Nothing before `evaluate` is given the test split.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch

from wakekit.allocator import keep_freed_memory
from wakekit.artifacts import Artifact, Store, copy_file, write_text
from wakekit.condition_stage import check_conditions, make_condition
from wakekit.culprit import accusing
from wakekit.distributed import after_the_first, agreed, once, take_device, world
from wakekit.environment import environment
from wakekit.export_stage import check_exports, drop_exports, export, leave_export, shipped
from wakekit.fingerprint import KIN_SEED, Contents, seeded, stage_fingerprints
from wakekit.geometry import choose_device, geometry
from wakekit.judge_stage import calibrate, evaluate
from wakekit.manifest import read_manifest
from wakekit.prepare_stage import make_corpus, make_splits
from wakekit.prepared import Prepared
from wakekit.readings import readings, record
from wakekit.recipe import Recipe
from wakekit.recipe_table import dump
from wakekit.report import write_report
from wakekit.score_stage import compose_split, read_scores, score_condition, score_split, stream_sounds
from wakekit.train_stage import FACTS, train
from wakekit.training import DivergedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wakekit.progress import Progress

_ENVIRONMENT = "environment.json"


@attrs.frozen(eq=False)
class Run:
    """A finished run: its recipe, the folder it left, and where calibration and raw scores lie in the store.

    `conditions` are the scores of test's shifted copies, by id.
    """

    recipe: Recipe
    folder: Path
    prepared: Prepared
    calibration: Path
    test: Path
    conditions: Mapping[str, Path]


def run(recipe: Recipe, out: Path, progress: Progress, *, exports: bool = True) -> Run:
    """Carry a recipe through all stages, those of its exporters only with `exports`; its folder is left in `out`.

    Sets the threads and the memory allocator of the process.
    """
    settle(recipe.settings.threads)
    take_device(choose_device(recipe.settings))
    return Pipeline(recipe, out, progress).run(exports=exports)


def settle(threads: int) -> None:
    """Set the memory allocator of the process, and its threads where they are not 0."""
    keep_freed_memory()
    if threads:
        torch.set_num_threads(threads)


class Pipeline:
    """The stages of one recipe over the store in `out`.

    `stages` lists what was made or reused so far, `current` is the last that was begun.
    """

    def __init__(self, recipe: Recipe, out: Path, progress: Progress) -> None:
        with accusing(recipe):
            geometry(recipe)
        self.recipe, self.out, self.progress = recipe, out, progress
        self.store = Store(out / ".store", progress)
        self.prints, self.kin = agreed(_prints(recipe, out) if world().first else ({}, {}))
        self.fingerprint = self.prints["evaluate"]
        self.folder = out / f"{recipe.settings.name}-{self.fingerprint[:10]}"
        self.stages: list[Artifact] = []
        self.current = ""

    def run(self, *, exports: bool = True) -> Run:
        """Carry out all stages and leave the run's folder; nothing is exported without `exports`."""
        if exports:
            with accusing(self.recipe):
                check_exports(self.recipe)
        prepared = self.prepare()
        check_conditions(self.recipe.conditions, prepared)
        weights = self.train(prepared)
        dev = self.score(prepared, weights, "dev")
        calibration = self.calibrate(prepared, dev)
        test = self.score(prepared, weights, "test")
        earlier = [self.earlier(prepared, weights, number) for number in range(1, len(_passes(weights)) + 1)]
        conditions = {name: self.condition(prepared, weights, name) for name in self.recipe.conditions}
        evaluation = self.evaluate(prepared, calibration, test, conditions=conditions, earlier=earlier, weights=weights)
        if world().first:
            self.leave(weights, dev, calibration, test, evaluation)
            with accusing(self.recipe):
                write_report(self.recipe["report"], self.folder)
        if exports:
            self.export(prepared, weights, calibration)
        # The others go on when the folder is whole.
        agreed(None)
        return Run(self.recipe, self.folder, prepared, calibration, test, conditions)

    def prepare(self) -> Prepared:
        """Corpus → audio store → splits → leakage check."""
        recipe, progress = self.recipe, self.progress
        corpus = self.stage(
            "corpus", lambda folder: make_corpus(folder, recipe["corpus"], recipe.settings.audio, progress)
        )
        splits = self.stage("prepare", lambda folder: make_splits(folder, corpus, recipe["splitter"]))
        prepared = Prepared(corpus, splits / "manifest.jsonl", recipe.settings.audio.sample_rate)
        for note in read_manifest(prepared.manifest).notes:
            progress.note(note)
        return prepared

    def train(self, prepared: Prepared) -> Path:
        """Normalizer fit and training loop, on train and dev."""

        def make(folder: Path) -> None:
            try:
                train(folder, self.recipe, prepared, self.progress)
            except DivergedError:
                good = folder / "last_good.safetensors"
                if good.exists() and world().first:
                    copy_file(good, self.folder / good.name)
                    self.progress.note(f"the last good weights are in {self.folder / good.name}")
                after_the_first()
                raise

        return self.stage("train", make, resumes=True, together=True)

    def score(self, prepared: Prepared, weights: Path, split: str, *, number: int = 0) -> Path:
        """Raw scores of one split, by the last weights or those of an earlier pass."""
        recipe, progress = self.recipe, self.progress
        composed = self.stage(
            "compose", lambda folder: compose_split(folder, recipe, prepared, split, progress), part=split
        )
        model = weights / (f"pass-{number}.safetensors" if number else "model.safetensors")
        return self.stage(
            f"score-pass-{number}" if number else "score",
            lambda folder: score_split(folder, recipe, prepared, composed, model, split=split, progress=progress),
            part=split,
        )

    def condition(self, prepared: Prepared, weights: Path, name: str) -> Path:
        """A shifted copy of test, and its raw scores."""
        recipe, progress = self.recipe, self.progress
        composed = self.store.folder("compose-test", self.prints["compose"])
        condition, model = recipe.conditions[name], weights / "model.safetensors"
        changed = self.stage(
            f"condition-{name}",
            lambda folder: make_condition(folder, condition, prepared, composed, name=name, progress=progress),
        )
        return self.stage(
            f"score-condition-{name}",
            lambda folder: score_condition(
                folder, recipe, prepared, composed, model, changed=changed, progress=progress
            ),
        )

    def earlier(self, prepared: Prepared, weights: Path, number: int) -> tuple[Path, Path]:
        """Calibration and raw scores of test by the weights of a pass before the last."""
        dev = self.score(prepared, weights, "dev", number=number)
        calibration = self.calibrate(prepared, dev, stage=f"calibrate-pass-{number}")
        return calibration, self.score(prepared, weights, "test", number=number)

    def calibrate(self, prepared: Prepared, dev: Path, *, stage: str = "calibrate") -> Path:
        """Calibrator and operating point, on dev scores."""
        return self.stage(
            stage, lambda folder: calibrate(folder, self.recipe, read_scores(dev, self.recipe, prepared, "dev"))
        )

    def evaluate(
        self,
        prepared: Prepared,
        calibration: Path,
        test: Path,
        *,
        conditions: Mapping[str, Path],
        earlier: Sequence[tuple[Path, Path]],
        weights: Path,
    ) -> Path:
        """Metrics on test and its shifted copies, at the frozen operating point."""

        def make(folder: Path) -> None:
            # First, so that no kill can hide that test was read.
            name = self.recipe.settings.name
            record(self.store.root, self.prints["prepare"], fingerprint=self.fingerprint, recipe=name)
            scores = read_scores(test, self.recipe, prepared, "test")
            passes = [(place, read_scores(found, self.recipe, prepared, "test")) for place, found in earlier]
            training = json.loads((weights / FACTS).read_text(encoding="utf-8"))
            composed = self.store.folder("compose-test", self.prints["compose"])
            sounds = stream_sounds(prepared, composed, "test")
            shifted = {name: read_scores(found, self.recipe, prepared, "test") for name, found in conditions.items()}
            evaluate(
                folder, self.recipe, calibration, scores,
                sounds=sounds, conditions=shifted, earlier=passes, training=training,
            )  # fmt: skip

        return self.stage("evaluate", make)

    def export(self, prepared: Prepared, weights: Path, calibration: Path) -> None:
        """What the exporters write, compared with what was trained; it is left in the run's folder."""
        if world().first:
            drop_exports(self.folder)
        if self.recipe.many["exporters"]:
            self.progress.note(f"the results of the run are in {self.folder}; what it trained is exported now")
        for name in self.recipe.many["exporters"]:
            written = self.export_one(prepared, weights, calibration, name)
            if world().first:
                leave_export(written, self.folder, name)
                write_text(self.folder / _ENVIRONMENT, json.dumps(self._environment(), indent=2))

    def export_one(self, prepared: Prepared, weights: Path, calibration: Path, name: str) -> Path:
        """What the exporter of that id writes."""

        def make(folder: Path) -> None:
            dev, model = prepared.open("dev"), weights / "model.safetensors"
            told = {"keyword": dev.keyword, "fingerprint": self.prints["calibrate"]}
            with self.progress.task(f"exporting {name}", 1) as advance:
                export(folder, self.recipe, shipped(self.recipe, model, calibration, **told), dev, name=name)
                advance()

        return self.stage(f"export-{name}", make)

    def leave(self, weights: Path, dev: Path, calibration: Path, test: Path, evaluation: Path) -> None:
        """Gather what a person wants to read in the run's folder."""
        files = {
            weights / "model.safetensors": "model.safetensors",
            **{path: path.name for path in _passes(weights)},
            weights / "history.jsonl": "history.jsonl",
            dev / "scores.safetensors": "scores/dev.safetensors",
            dev / "streams.jsonl": "scores/dev-streams.jsonl",
            test / "scores.safetensors": "scores/test.safetensors",
            test / "streams.jsonl": "scores/test-streams.jsonl",
            calibration / "calibration.safetensors": "calibration.safetensors",
            calibration / "operating_point.json": "operating_point.json",
            evaluation / "detections.jsonl": "detections.jsonl",
            evaluation / "clips.jsonl": "clips.jsonl",
            evaluation / "curves.json": "curves.json",
        }
        own = weights / "training"
        kept = (path for path in own.rglob("*") if path.is_file() and not path.name.startswith("."))
        files |= {path: f"training/{path.relative_to(own).as_posix()}" for path in kept}
        if (test / "cost.json").is_file():
            files[test / "cost.json"] = "cost.json"
        files |= {path: f"listen/{path.name}" for path in (evaluation / "listen").glob("*.flac")}
        # Callbacks of a training before this one may have left files of other names.
        for path in (self.folder / "training").rglob("[!.]*"):
            if path.is_file() and path.relative_to(self.folder).as_posix() not in files.values():
                path.unlink(missing_ok=True)
        for source, name in files.items():
            copy_file(source, self.folder / name)
        write_text(self.folder / "recipe.toml", dump(self.recipe))
        write_text(self.folder / _ENVIRONMENT, json.dumps(self._environment(), indent=2))
        # Last, because a folder with it counts as a finished run.
        copy_file(evaluation / "metrics.json", self.folder / "metrics.json")

    def stage(
        self,
        stage: str,
        make: Callable[[Path], None],
        *,
        part: str = "",
        resumes: bool = False,
        together: bool = False,
    ) -> Path:
        """Return the folder of a stage, made unless it is in the store; `together` as in `wakekit.distributed.once`."""
        self.current = name = f"{stage}-{part}" if part else stage

        def get(make: Callable[[Path], None]) -> Artifact:
            return self.store.get(name, self.prints[stage], make, resumes=resumes, kin=self.kin[stage])

        def blamed(folder: Path) -> None:
            with accusing(self.recipe):
                make(folder)

        artifact = once(get, blamed, together=together)
        self.stages.append(artifact)
        if artifact.reused:
            self.progress.note(f"{name}: reused {artifact.fingerprint[:10]}")
        return artifact.folder

    def _environment(self) -> dict[str, object]:
        return {
            "fingerprint": self.fingerprint,
            "stages": {artifact.stage: artifact.fingerprint for artifact in self.stages},
            "test_readings": readings(self.store.root, self.prints["prepare"]).count,
            "processes": world().size,
            **environment(self.recipe.settings),
        }


def _prints(recipe: Recipe, out: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fingerprints of a recipe's stages, and those of their kin of other seeds."""
    contents = Contents(out / ".store" / "contents.json")
    return stage_fingerprints(recipe, contents), stage_fingerprints(seeded(recipe, KIN_SEED), contents)


def _passes(weights: Path) -> list[Path]:
    """Return the weights of the passes before the last."""
    return list(weights.glob("pass-*.safetensors"))
