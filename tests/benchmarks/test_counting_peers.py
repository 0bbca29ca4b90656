"""Event counts and chosen thresholds beside those of other tools, on streams whose truth is known because we made it.

Ten hours of scores are simulated, one every 80 ms (see `tests/planted.py`). The tools and the rules they count by:

- wakekit: detections fired by the recipe's detector (2 of 3 scores, hysteresis, 1 s lockout); thresholds from `choose`.
- sed_scores_eval 0.0.4, `intersection_based.accumulated_intermediate_statistics`: runs of frames at or above the
  threshold; one of which less than a tenth lies in a word is a false positive. That is what a detector of 1 of 1 score
  without a lockout does, so that both must agree at every threshold. It knows no votes and no lockout, hence counts
  two-peaked bursts twice.
- openWakeWord 0.6.0, `metrics.get_false_positives` and `metrics.generate_roc_curve_fprs` (25 thresholds, 0.01 to 0.99);
  the threshold taken here is the lowest of them that meets the target, as the package has no function for it. The
  function means to merge the frames of a burst, but its bound leaves nothing to merge. `train.py` (line 100, `self.fp`,
  and line 269, `val_set_hrs = 11.3`) sits inside training: it counts windows above 0.5 and divides by 11.3 h, whatever
  the length of the audio; those two lines are stated again in the driver.
- livekit-wakeword 0.3.0, `training.metrics.false_positives_per_hour` and `find_best_threshold`: windows at or above the
  threshold; 99 thresholds, 0.01 to 0.99; where none meets the target it takes the one of best balanced accuracy. Its
  evaluation (`eval/evaluate.py`) scores every 16th frame and takes each for 2 s of audio: the second row.
- scikit-learn, `det_curve` over frames: false positives are frames.

Each tool is installed from PyPI in an environment of its own, kept in `$WAKEKIT_PEERS` (by default in the system's
folder for temporary files) for the next run. Times are printed, never tested.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from rich.console import Console
from rich.table import Table
from sklearn.metrics import det_curve

from tests.planted import FIRST, HOP, TOLERANCE, World, brute_force, plant, reach
from wakekit.data import Stream, StreamScores
from wakekit.operating import choose
from wakekit.settings import Target
from wakekit.sweep import Curve, sweep
from wakekit_evaluation.vote import Vote

FIXED, TARGET = 0.5, 1.0
# sed_scores_eval writes to arrays that pandas 3 makes read-only.
PEERS = {
    "openwakeword": ("--no-deps", ["openwakeword==0.6.0"], ["numpy", "tqdm"]),
    "livekit": ("--no-deps", ["livekit-wakeword==0.3.0"], ["numpy"]),
    "sed_scores_eval": ("", ["sed_scores_eval==0.0.4", "pandas<3"], []),
}


def install(name: str) -> Path:
    """Return the Python of an environment that holds a tool, made where there is none; skips with pip's reason."""
    options, wanted, needs = PEERS[name]
    root = Path(os.environ.get("WAKEKIT_PEERS") or Path(tempfile.gettempdir()) / "wakekit-peers")
    folder = root / f"{wanted[0].replace('==', '-')}-py{sys.version_info.major}.{sys.version_info.minor}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    steps = [[sys.executable, "-m", "venv", str(folder)]]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    steps.append([*pip, *options.split(), *wanted])
    if needs:
        steps.append([*pip, *needs])
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            pytest.skip(f"{wanted[0]} cannot be installed: {said[-1] if said else done.returncode}")
    (folder / "complete").touch()
    return python


@pytest.fixture(scope="session")
def world() -> World:
    """The streams."""
    return plant()


@pytest.fixture(scope="session")
def exchange(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The streams as a file that other tools' drivers read."""
    path = tmp_path_factory.mktemp("peers") / "streams.npz"
    in_word, words, word_scores = [], [], []
    for number, stream in enumerate(world.streams):
        times = stream.times(np.arange(len(stream.scores)))
        inside = np.zeros(len(times), bool)
        for event in stream.stream.events:
            of_word = (times >= event.start) & (times <= event.end + TOLERANCE)
            words.append((number, event.start, event.end + TOLERANCE))
            word_scores.append(stream.scores[of_word].max())
            inside |= of_word
        in_word.append(inside)
    np.savez(
        path,
        scores=np.concatenate([stream.scores for stream in world.streams]),
        lengths=[len(stream.scores) for stream in world.streams],
        in_word=np.concatenate(in_word),
        words=words,
        word_scores=word_scores,
        thresholds=world.thresholds(),
        three_bursts=three_bursts(),
        hop=HOP,
        first=FIRST,
        hours=ours(world, Vote()).hours,
        fixed=FIXED,
        target=TARGET,
    )
    return path


def three_bursts() -> np.ndarray:
    """Return a stream with three bursts of ten frames."""
    scores = np.full(600, 0.01)
    for start in (100, 300, 500):
        scores[start : start + 10] = 0.9
    return scores


def ask(name: str, exchange: Path) -> dict[str, Any]:
    """Return what another tool counts on the streams."""
    python = install(name)
    driver = Path(__file__).parent / "peers" / f"{name}_driver.py"
    answer = exchange.with_name(f"{name}.json")
    if not answer.exists():
        done = subprocess.run([python, driver, exchange, answer], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def ours(world: World, detector: Vote) -> Curve:
    """Return our counts at every distinct score."""
    return sweep(detector, world.streams, "word", tolerance=TOLERANCE, max_fa_per_hour=1000.0)


def at(curve: Curve, thresholds: np.ndarray) -> np.ndarray:
    """Return the rows of a curve at given thresholds, which all must be there."""
    rows = len(curve.thresholds) - 1 - np.searchsorted(curve.thresholds[::-1], thresholds)
    assert (curve.thresholds[rows] == thresholds).all()
    return rows


PLAIN = Vote(window=1, votes=1, hysteresis=0.0, lockout_seconds=0.0)


@pytest.mark.benchmark
def test_our_counts_are_the_planted_ones(world: World) -> None:
    """At every distinct score our false accepts and hits are what was planted and what a frame-by-frame count gives."""
    thresholds = world.thresholds()
    voted, plain = ours(world, Vote()), ours(world, PLAIN)
    rows, plain_rows = at(voted, thresholds), at(plain, thresholds)
    assert (voted.false_accepts[rows] == reach(world.voted, thresholds)).all()
    assert (voted.hits[rows] == reach(world.voted_heard, thresholds)).all()
    assert (plain.false_accepts[plain_rows] == world.false_runs(thresholds)).all()
    assert (plain.hits[plain_rows] == reach(world.heard, thresholds)).all()
    for detector, curve in ((Vote(), voted), (PLAIN, plain)):
        false_accepts, hits = brute_force(world, thresholds, detector)
        assert (curve.false_accepts[rows] == false_accepts).all()
        assert (curve.hits[rows] == hits).all()
    assert (np.diff(plain.false_accepts[plain_rows]) < 0).any(), "a falling threshold should join bursts"


@pytest.mark.benchmark
@pytest.mark.parametrize("target", [0.3, 1.0, 3.0, 10.0])
def test_our_threshold_is_the_best_there_is(world: World, target: float) -> None:
    """No distinct score hears more words within the target; ties go to fewer false accepts, then to the higher."""
    thresholds = world.thresholds()
    false_accepts, hits = brute_force(world, thresholds, Vote())
    curve = ours(world, Vote())
    found = choose(curve, Target(fa_per_hour=target), calibration="none")
    met = false_accepts / curve.hours <= target
    best = max(zip(hits[met], -false_accepts[met], thresholds[met], strict=True))
    assert (found.events - found.misses, -found.false_accepts, found.threshold) == best


@pytest.mark.benchmark
def test_counts_agree_with_sed_scores_eval(world: World, exchange: Path) -> None:
    """With 1 of 1 votes and no lockout, both count the same false accepts and hits at every distinct score."""
    theirs = ask("sed_scores_eval", exchange)
    curve, thresholds = ours(world, PLAIN), world.thresholds()
    rows = at(curve, thresholds)
    assert curve.false_accepts[rows].tolist() == theirs["false"]
    assert curve.hits[rows].tolist() == theirs["true"]


@pytest.mark.benchmark
def test_three_bursts_of_ten_frames_are_three(exchange: Path) -> None:
    """T2: three bursts are three false accepts for us and for sed_scores_eval, thirty where windows are counted."""
    stream = StreamScores(Stream(audio=Path("a.wav"), duration=50.0), three_bursts(), FIRST, HOP)
    assert [len(Vote().build(0.5).feed(stream.scores)), ask("sed_scores_eval", exchange)["bursts"]] == [3, 3]
    assert [ask(name, exchange)["bursts"] for name in ("openwakeword", "livekit")] == [30, 30]


@attrs.frozen
class Row:
    """A line of the table: what a tool counts at the fixed threshold and in which hours, and the threshold it chooses.

    Rules that are stated again here are not timed.
    """

    tool: str
    counts: str
    false_accepts: int
    hours: float
    chosen: float | None
    seconds: float = math.nan
    thresholds: int = 1

    @property
    def each(self) -> float:
        """Seconds per threshold."""
        return self.seconds / self.thresholds


def of_ours(world: World) -> Row:
    """Return what wakekit counts."""
    started = time.perf_counter()
    curve = ours(world, Vote())
    point = choose(curve, Target(fa_per_hour=TARGET), calibration="none")
    seconds = time.perf_counter() - started
    counted = int(curve.false_accepts[int((curve.thresholds >= FIXED).sum()) - 1])
    return Row("wakekit", "detections", counted, curve.hours, point.threshold, seconds, len(curve.thresholds))


def of_frames(exchange: Path) -> Row:
    """Return what scikit-learn's curve over frames says."""
    given = np.load(exchange)
    scores, in_word, hours = given["scores"], given["in_word"], float(given["hours"])
    started = time.perf_counter()
    fpr, fnr, thresholds = det_curve(in_word, scores)
    seconds = time.perf_counter() - started
    false = np.rint(fpr * (~in_word).sum())
    met = false / hours <= TARGET
    chosen = thresholds[met][np.argmin(fnr[met])] if met.any() else None
    count = int(false[thresholds >= FIXED].max())
    return Row("scikit-learn det_curve", "frames", count, hours, chosen, seconds, len(thresholds))


def of_peer(name: str, exchange: Path) -> list[Row]:
    """Return what another tool counts by its own functions, and by the rule of its training or evaluation."""
    said, hours = ask(name, exchange), float(np.load(exchange)["hours"])
    own = said["count"], hours, said["chosen"], said["seconds"], said["thresholds"]
    if name == "sed_scores_eval":
        return [Row(name, "runs of frames", *own)]
    if name == "openwakeword":
        training = Row("openWakeWord train", "windows", said["train_count"], said["train_hours"], None)
        return [Row("openWakeWord metrics", "frames", *own), training]
    coarse = said["coarse_count"], said["coarse_hours"], said["coarse_chosen"]
    return [Row("livekit metrics", "windows", *own), Row("livekit eval", "every 16th window", *coarse)]


def rows(world: World, exchange: Path) -> tuple[list[Row], list[str]]:
    """Return the lines of the table, and why a tool is missing."""
    found, missing = [of_ours(world), of_frames(exchange)], []
    for name in PEERS:
        try:
            found += of_peer(name, exchange)
        except pytest.skip.Exception as reason:
            missing.append(str(reason))
    return found, missing


def cells(row: Row, world: World, ours_each: float) -> list[str]:
    """Return a line as text; what its threshold truly gives is found by brute force with the recipe's detector."""
    truth = int(reach(world.voted, np.array([FIXED]))[0])
    given, timing = ["none", "-", "-"], ["-", "-"]
    if row.chosen is not None:
        (false_accepts,), (hits,) = brute_force(world, np.array([row.chosen]), Vote())
        hours = ours(world, Vote()).hours
        given = [f"{row.chosen:.8g}", f"{false_accepts / hours:.2f}", f"{hits}"]
    if not math.isnan(row.seconds):
        timing = [f"{row.seconds:.2f} ({row.thresholds})", f"{row.each / ours_each:.3g} x"]
    per_hour = f"{row.false_accepts / row.hours:.2f}"
    return [row.tool, row.counts, f"{row.false_accepts}", f"{truth}", per_hour, *given, *timing]


@pytest.mark.benchmark
def test_the_table(world: World, exchange: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours counts what was planted, and its threshold truly meets the target; the table shows the others beside it."""
    of_ours(world)
    found, missing = rows(world, exchange)
    table = Table(caption="; ".join(missing) or None)
    table.title = f"{found[0].hours:.2f} h without the word, {len(world.heard)} words; target {TARGET:g} per hour"
    for column in (
        "tool", "counts", f"FA at {FIXED:g}", "truth", "FA/h", "threshold chosen", "true FA/h", "words heard",
        "seconds (thresholds)", "each, beside ours",
    ):  # fmt: skip
        table.add_column(column, justify="left" if column in {"tool", "counts"} else "right")
    lines = [cells(row, world, found[0].each) for row in found]
    for line in lines:
        table.add_row(*line)
    with capsys.disabled():
        print()
        Console(width=170).print(table)
    assert lines[0][2] == lines[0][3]
    assert float(lines[0][6]) <= TARGET
