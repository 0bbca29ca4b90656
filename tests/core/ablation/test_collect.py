"""Evidence counts what a detector does on audio and speakers that nothing was chosen on, unit by unit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from wakekit.ablation.collect import EVIDENCE, collect_dev, collect_test
from wakekit.ablation.evidence import read_evidence
from wakekit.data import Clip, ClipScores, Event, Stream, StreamScores
from wakekit.errors import WakekitError
from wakekit.events import judge_stream, keywords, negative_hours
from wakekit.score_stage import SplitScores
from wakekit.settings import Target
from wakekit_evaluation.none_calibrator import NoCalibration
from wakekit_evaluation.temperature import Temperature
from wakekit_evaluation.vote import Vote

if TYPE_CHECKING:
    from wakekit.data import StreamResult
    from wakekit.recipe import Recipe

HOP = 0.08


@attrs.frozen
class MeanShift:
    """A calibrator that remembers the mean of the scores it was fitted on."""

    def build(self) -> nn.Module:
        """Return its module."""
        return _MeanShift()


class _MeanShift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))

    def fit(self, scores: torch.Tensor, _labels: torch.Tensor) -> None:
        self.mean = scores.mean()

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(scores - self.mean)


def split(rng: np.random.Generator, name: str = "dev", *, recordings: int = 3, speakers: int = 7) -> SplitScores:
    """Noise with bursts, in which speakers say the keyword; and clips of the same speakers and of nobody."""
    streams = []
    for number in range(recordings):
        scores = rng.normal(-3, 1.5, 1500)
        events = []
        for start in np.arange(10.0, 110.0, 9.0):
            first = int(start / HOP)
            scores[first : first + 10] += rng.uniform(0, 6)
            who = f"{name} s{rng.integers(speakers)}"
            events.append(Event(start=start, end=start + 0.6, label="nova", speaker=who))
        for first in rng.integers(0, 1480, 12):
            scores[first : first + 6] += rng.uniform(1, 5)
        stream = Stream(audio=Path(f"{name}{number}.wav"), duration=120.0, events=tuple(events))
        streams.append(StreamScores(stream, scores, 1.0, HOP))
    rows = [("positive", f"{name} s{row % speakers}") for row in range(40)]
    rows += [("negative", f"{name} s{row % speakers}" if row % 2 else None) for row in range(60)]
    clips = tuple(
        Clip(audio=Path("c.wav"), duration=1.0, label="nova", pool=pool, speaker=speaker) for pool, speaker in rows
    )
    labels = np.array([pool == "positive" for pool, _ in rows], np.int64)
    return SplitScores(name, "nova", ClipScores(clips, rng.normal(4.0 * labels - 2, 2), labels), tuple(streams), -9.0)


def recipe(calibrator: object = None, **target: Any) -> Recipe:
    """The parts of a recipe that judging looks at."""
    point = Target(fa_per_hour=60.0, **target)
    parts = {"calibrator": calibrator or NoCalibration(), "detector": Vote(hop_seconds=HOP)}
    settings = SimpleNamespace(operating_point=point)
    return _Recipe(settings, parts)  # type: ignore[return-value]


class _Recipe:
    def __init__(self, settings: object, parts: dict[str, object]) -> None:
        self.settings, self._parts = settings, parts

    def __getitem__(self, key: str) -> object:
        return self._parts[key]


def judged(scores: SplitScores, threshold: float, calibrate: Any) -> list[StreamResult]:
    """Every stream of a split, judged by the detector itself."""
    found = []
    for stream in scores.streams:
        calibrated = attrs.evolve(stream, scores=calibrate(stream.scores))
        frames = Vote(hop_seconds=HOP).build(threshold).feed(calibrated.scores)
        found.append(judge_stream(calibrated, frames, "nova", tolerance=0.5))
    return found


def missed(results: list[StreamResult]) -> dict[str, int]:
    """Missed words by speaker."""
    found: dict[str, int] = {}
    for result in results:
        for miss in result.misses:
            found[str(miss.speaker)] = found.get(str(miss.speaker), 0) + 1
    return found


def false_accepts(results: list[StreamResult]) -> int:
    """False accepts of all streams."""
    return sum(found.outcome == "false accept" for result in results for found in result.detections)


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """Probabilities without calibration, computed as the calibrator does."""
    return torch.sigmoid(torch.from_numpy(scores)).numpy()


@pytest.mark.parametrize("seed", range(3))
def test_every_count_is_what_the_detector_does(tmp_path: Path, seed: int) -> None:
    """At each threshold hits of all speakers and false accepts of all units are those of the detector run by itself."""
    dev = split(np.random.default_rng(seed))
    collect_dev(tmp_path, recipe(), dev)
    found = read_evidence(tmp_path / EVIDENCE)
    assert len(found.parts) == 5
    truths = [keywords(stream, "nova", tolerance=0.5) for stream in dev.streams]
    hours = sum(negative_hours(stream, truth) for stream, truth in zip(dev.streams, truths, strict=True))
    words = sum(len(truth.index) for truth in truths)
    counts = set()
    for part in found.parts:
        assert part.choose_hours.sum() + part.hours == pytest.approx(hours)
        assert part.choose_words + part.words.sum() == words
        assert part.shown_hours == pytest.approx(hours)
        for row in range(len(part.false_accepts)):
            counts.add(
                (
                    int(part.choose_hits[row] + part.hits[:, row].sum()),
                    int(part.choose_false_accepts[:, row].sum() + part.false_accepts[row]),
                )
            )
    tried = np.unique(np.concatenate([sigmoid(stream.scores) for stream in dev.streams]))[::-1]
    expected = set()
    for threshold in tried[:400]:
        results = judged(dev, threshold, sigmoid)
        expected.add((words - sum(missed(results).values()), false_accepts(results)))
    assert expected & counts == {pair for pair in expected if pair[1] <= 4 * 60 * hours + 20}


def test_nothing_is_judged_by_what_it_was_chosen_on(tmp_path: Path) -> None:
    """Speakers and units are judged once, in a part that chooses by none of them; so are the clips of a speaker."""
    dev = split(np.random.default_rng(0))
    collect_dev(tmp_path, recipe(MeanShift()), dev)
    found = read_evidence(tmp_path / EVIDENCE)
    speakers = np.concatenate([part.speakers for part in found.parts])
    assert sorted(speakers.tolist()) == list(range(len(found.speakers)))
    assert found.speakers == tuple(sorted(found.speakers))
    left_out = [set(range(len(found.units))) - set(part.units.tolist()) for part in found.parts]
    assert sorted(unit for units in left_out for unit in units) == list(range(len(found.units)))
    part_of = {found.speakers[who]: number for number, part in enumerate(found.parts) for who in part.speakers}
    means = {}
    for row, clip in enumerate(dev.clips.clips):
        logit = np.log(found.clips.probability[row] / (1 - found.clips.probability[row]))
        means[row] = dev.clips.scores[row] - logit
        if clip.speaker in part_of:
            others = [
                at for at, other in enumerate(dev.clips.clips)
                if other.speaker in part_of and part_of[other.speaker] == part_of[clip.speaker]
            ]  # fmt: skip
            own = {round(means[at], 9) for at in others if at in means}
            assert len(own) == 1
    assert len({round(mean, 9) for mean in means.values()}) == 5


def test_the_calibrator_of_a_part_is_fitted_without_it(tmp_path: Path) -> None:
    """Changing a speaker's scores changes how others are calibrated, never how the speaker is."""
    dev = split(np.random.default_rng(1))
    collect_dev(tmp_path, recipe(Temperature()), dev)
    before = read_evidence(tmp_path / EVIDENCE).clips.probability
    own = np.array([clip.speaker == "dev s0" for clip in dev.clips.clips])
    moved = attrs.evolve(dev.clips, scores=np.where(own, -dev.clips.scores, dev.clips.scores))
    collect_dev(tmp_path, recipe(Temperature()), attrs.evolve(dev, clips=moved))
    after = read_evidence(tmp_path / EVIDENCE).clips.probability
    np.testing.assert_allclose(after[own], 1 - before[own])
    assert (after[~own] != before[~own]).any()


def test_test_is_judged_at_thresholds_of_dev(tmp_path: Path) -> None:
    """Each row counts test's words and false accepts at a threshold of dev, between test's own scores too."""
    rng = np.random.default_rng(2)
    dev, test = split(rng), split(rng, "test", recordings=2, speakers=4)
    collect_test(tmp_path, recipe(), dev, test)
    found = read_evidence(tmp_path / EVIDENCE)
    (part,) = found.parts
    assert found.split == "test"
    assert found.speakers == tuple(f"test s{number}" for number in range(4))
    tried = np.unique(np.concatenate([sigmoid(stream.scores) for stream in dev.streams]))[::-1]
    expected = []
    words = int(part.words.sum())
    for threshold in tried[:300]:
        chosen, seen = judged(dev, threshold, sigmoid), judged(test, threshold, sigmoid)
        pair = (part.choose_words - sum(missed(chosen).values()), false_accepts(chosen))
        if not expected or expected[-1][0] != pair:
            expected.append((pair, (words - sum(missed(seen).values()), false_accepts(seen))))
    rows = {
        (int(part.choose_hits[row]), int(part.choose_false_accepts[:, row].sum())): (
            int(part.hits[:, row].sum()), int(part.false_accepts[row])
        )
        for row in reversed(range(len(part.false_accepts)))
    }  # fmt: skip
    firsts: dict[tuple[int, int], tuple[int, int]] = {}
    for pair, seen_pair in expected:
        firsts.setdefault(pair, seen_pair)
    common = [pair for pair in firsts if pair in rows]
    assert len(common) > 20
    assert {pair: rows[pair] for pair in common} == {pair: firsts[pair] for pair in common}


def test_a_search_gives_the_rows_of_every_setting(tmp_path: Path) -> None:
    """Where settings of the detector are searched, each part may choose among all of them."""
    dev = split(np.random.default_rng(3))
    collect_dev(tmp_path, recipe(), dev)
    alone = read_evidence(tmp_path / EVIDENCE)
    collect_dev(tmp_path, recipe(search={"votes": [1, 2]}), dev)
    both = read_evidence(tmp_path / EVIDENCE)
    assert len(both.parts[0].false_accepts) > len(alone.parts[0].false_accepts)


def test_too_little_to_choose_and_judge_apart_is_refused(tmp_path: Path) -> None:
    """One speaker cannot be judged by a threshold that was chosen on others."""
    with pytest.raises(WakekitError, match="two speakers of the keyword"):
        collect_dev(tmp_path, recipe(), split(np.random.default_rng(0), speakers=1))
