"""The values that travel between stages and components: clips, streams, scores, detections, measures.

Everything here is frozen and holds no behaviour beyond its own arithmetic; times are in seconds, scores before
calibration are log-odds of the keyword, after it probabilities.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]
    BoolArray = npt.NDArray[np.bool_]

POOLS = ("positive", "negative", "hard", "background")
SPLITS = ("train", "dev", "test")


@attrs.frozen(kw_only=True)
class Clip:
    """A short labelled stretch of audio.

    `pool` is what the label means for training: `positive` (the keyword), `negative` (other speech), `hard` (a near
    miss) or `background` (also the source of noise). `word` is the [start, end] of the keyword from the start of the
    clip. `group` is a household, `source` the recording the clip was cut from; both stay on one side of a split, as
    does `sha256`, the hash of the samples.
    """

    audio: Path
    duration: float
    label: str
    pool: str
    offset: float = 0.0
    split: str = ""
    speaker: str | None = None
    group: str | None = None
    source: str | None = None
    word: tuple[float, float] | None = None
    text: str | None = None
    channel: str | None = None
    sha256: str = ""


@attrs.frozen(kw_only=True)
class Event:
    """One spoken word in a stream: when it starts and ends, and who says it, at which SNR in dB."""

    start: float
    end: float
    label: str
    speaker: str | None = None
    snr_db: float | None = None


@attrs.frozen(kw_only=True)
class Stream:
    """A long recording with the times of the words in it.

    `composed` is empty for a real recording, else it says how the stream was put together. `silence` is the share of
    composed silence.
    """

    audio: Path
    duration: float
    split: str = ""
    events: tuple[Event, ...] = ()
    speakers: tuple[str, ...] = ()
    group: str | None = None
    source: str | None = None
    composed: str = ""
    silence: float = 0.0
    sha256: str = ""

    def recording(self) -> str:
        """Return what the stream's false accepts depend on together: the recording it was cut from, else itself."""
        return self.source or self.audio.as_posix()

    def cluster(self, event: Event) -> str:
        """Return what one of its words is dependent on others by: the speaker, else the recording."""
        return event.speaker or self.recording()


@attrs.frozen(kw_only=True)
class ImpulseResponse:
    """The answer of a room to an impulse; `rt60` is its reverberation time in seconds."""

    audio: Path
    duration: float
    split: str = ""
    rt60: float | None = None
    source: str | None = None
    sha256: str = ""


@attrs.frozen(kw_only=True)
class Manifest:
    """What a corpus holds; `notes` are sentences that a user should read (what was resampled, guessed, left out)."""

    keyword: str
    clips: tuple[Clip, ...]
    streams: tuple[Stream, ...] = ()
    impulse_responses: tuple[ImpulseResponse, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self) -> tuple[Clip | Stream | ImpulseResponse, ...]:
        """Return all rows: clips, then streams, then impulse responses."""
        return (*self.clips, *self.streams, *self.impulse_responses)


def keyword_labels(clips: Sequence[Clip]) -> IntArray:
    """Return int64 [N], 1 for each clip of the keyword."""
    return np.array([int(clip.pool == "positive") for clip in clips], dtype=np.int64)


@attrs.frozen(eq=False)
class ClipScores:
    """One score per clip: `scores` [N] (the highest of the clip's windows), `labels` [N] with 1 for the keyword."""

    clips: tuple[Clip, ...]
    scores: FloatArray
    labels: IntArray

    def clusters(self) -> list[str]:
        """Return what makes each clip dependent on others: its speaker, else its source recording, else itself."""
        return [clip.speaker or clip.source or f"clip {row}" for row, clip in enumerate(self.clips)]


@attrs.frozen(eq=False)
class StreamScores:
    """The scores of one stream: `scores` [T], one every `hop_seconds`, the first at `first_seconds`.

    A score's time is the end of the window it was computed from, so that no score looks ahead.
    """

    stream: Stream
    scores: FloatArray
    first_seconds: float
    hop_seconds: float

    def times(self, frames: IntArray) -> FloatArray:
        """Return the times of the given frames in seconds."""
        found: FloatArray = frames * np.float64(self.hop_seconds) + self.first_seconds
        return found

    def scored_seconds(self) -> float:
        """Return the seconds of audio that scores exist for: from the first score to the last."""
        return len(self.scores) * self.hop_seconds


@attrs.frozen(eq=False, kw_only=True)
class Changes:
    """Detections on a stream that come and go as a threshold falls through [n] values.

    Change i happens at the threshold of index `rank[i]`, and `rank` [m] never falls; at `frame[i]` a detection appears
    (`step[i]` is 1) or goes (-1). One that comes and goes at the same threshold cancels out.
    """

    rank: IntArray
    frame: IntArray
    step: IntArray


@attrs.frozen
class Detection:
    """An event that the detector fired: the stream's file name, the time in seconds and the score at that time.

    `outcome` is `hit`, `repeat` (a further detection of a word already hit) or `false accept`; `event` is the index of
    the word it belongs to.
    """

    stream: str
    seconds: float
    score: float
    outcome: str
    event: int | None = None


@attrs.frozen
class Miss:
    """A keyword in a stream that no detection belongs to; `score` is the highest around it.

    `event` is its index among the words of the stream.
    """

    stream: str
    start: float
    end: float
    speaker: str | None
    score: float
    event: int | None = None


@attrs.frozen
class OperatingPoint:
    """The threshold chosen on dev and frozen, with what it was chosen for and what it reached there.

    `reachable` is False where no threshold meets the target; then `threshold` is the one with the fewest false accepts
    and `message` says what was reached. `hours` are the hours of dev audio behind the choice. `bound` says what had to
    meet the target: the `estimate`, or the one-sided `upper` bound at `level`.
    """

    threshold: float
    target_fa_per_hour: float
    reachable: bool
    fa_per_hour: float
    false_accepts: int
    hours: float
    miss_rate: float
    misses: int
    events: int
    message: str
    calibration: str
    """Identity of the calibration that the threshold belongs to."""
    bound: str = "estimate"
    level: float = 0.95
    detector: dict[str, Any] = attrs.field(factory=dict)
    """Options of the detector that were searched for, with the values chosen."""
    configurations: int = 1
    """How many settings of the detector the search tried."""
    optimism: str = ""
    """What choosing among several settings makes of the numbers on dev."""
    split: str = "dev"
    scores: str = ""
    """Identity of the scores that the threshold was chosen on."""


@attrs.frozen(kw_only=True)
class Measure:
    """One number with its interval.

    `low` and `high` bound it at `level`; None where no interval can be had, and then `note` says why. `method` names
    the interval, `simple` is the interval that ignores clustering, where the headline accounts for it. `counts` holds
    what the number was computed from (events, hours, clips, speakers).
    """

    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = ""
    simple: tuple[float, float] | None = None
    split: str = "test"
    counts: dict[str, float] = attrs.field(factory=dict)
    note: str = ""


@attrs.frozen(eq=False)
class StreamResult:
    """One stream after the detector: its calibrated scores, detections, misses and the hours without wake words."""

    scores: StreamScores
    detections: tuple[Detection, ...]
    misses: tuple[Miss, ...]
    events: int
    negative_hours: float


@attrs.frozen(kw_only=True)
class Cost:
    """What scoring costs: counts of the network, and the time that a score took where it was measured.

    `model_bytes` are those of the weights as saved, and `macs_per_second` multiply-accumulates per second of a stream.
    `seconds_per_score` is the median over `calls` scores, one every `hop_seconds` of windows of `window_seconds`, on a
    `device` with `threads` threads. `latency_seconds` is how much later than a window's own score the scorer's comes.
    """

    parameters: int
    macs_per_second: float
    model_bytes: int
    seconds_per_score: float
    calls: int
    hop_seconds: float
    window_seconds: float
    latency_seconds: float
    device: str
    threads: int

    @property
    def real_time_factor(self) -> float:
        """Seconds of compute per second of audio, where each score is computed by itself."""
        return self.seconds_per_score / self.hop_seconds


@attrs.frozen(eq=False)
class Results:
    """What metrics read: calibrated scores of a split's clips, its streams after the detector, the operating point.

    `raw` holds the clips' scores before calibration, `thresholds` [N] one for each clip where folds with a threshold
    each are pooled, and then `operating_point.threshold` is nan; `cost` what scoring costs, where it was measured.
    """

    raw: ClipScores
    clips: ClipScores
    streams: tuple[StreamResult, ...]
    operating_point: OperatingPoint
    seed: int = 0
    cost: Cost | None = None
    thresholds: FloatArray | None = None

    def accepted(self) -> BoolArray:
        """Return for each clip whether its score reaches its threshold, bool [N]."""
        reached: BoolArray = self.clips.scores >= (
            self.operating_point.threshold if self.thresholds is None else self.thresholds
        )
        return reached


def as_json(value: object) -> Any:  # noqa: ANN401
    """Return an attrs value as JSON data: paths as text, tuples as lists, nothing left out."""
    if attrs.has(type(value)):
        return {field.name: as_json(getattr(value, field.name)) for field in attrs.fields(type(value))}  # type: ignore[arg-type]
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, dict):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_json(item) for item in value]
    return value
