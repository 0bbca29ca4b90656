"""The kinds of component: the slot each fills in a recipe, and the verb it must have.

A component is an attrs class of parameters; what is only known at run time is an argument of its verb. Components build
`nn.Module`s and never are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt
    import torch
    from torch import Tensor, nn

    from wakekit.batch import Batch, FeatureBatch, Sources
    from wakekit.callbacks import Hooks
    from wakekit.data import Changes, IntArray, Manifest, Measure, Results
    from wakekit.launching import Job, Watch
    from wakekit.network import Network
    from wakekit.progress import Progress
    from wakekit.run_folder import Run
    from wakekit.shipped import Shipped
    from wakekit.training import Trained, TrainTask

    Scores = npt.NDArray[np.float64]


class Corpus(Protocol):
    """Where the audio comes from.

    May also have `files() -> Iterable[Path]`: the files its manifest depends on beyond its options of type Path.
    """

    keyword: str

    def load(self, folder: Path, progress: Progress) -> Manifest:
        """Return the manifest; audio that the corpus makes itself is written into `folder`."""
        ...


class Splitter(Protocol):
    """Gives every clip, stream and impulse response its split, with no speaker on two sides."""

    def split(self, manifest: Manifest) -> Manifest:
        """Return the manifest with every `split` set to train, dev or test."""
        ...


class Augmentation(Protocol):
    """Changes a training batch on its device; draws only from `batch.draws`.

    May also have `record(blocks: Iterator[float32 [n]], sample_rate: int, draws: Draws) -> Recorded`, which changes a
    whole recording, read block by block, with the draws of one row; conditions call it instead of `build`. What can
    change recordings only, and has no `build`, is of the domain `recording` and refused in training.
    """

    domain: ClassVar[str]
    """`waveform` (changes `batch.audio`), `features` (changes `batch.features`) or `recording` (has `record` alone)."""

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:
        """Return the augmentation; raises WakekitError where `sources` lack what it needs."""
        ...


class Frontend(Protocol):
    """Waveforms [B, S] to features [B, F, T], uncentred: frame t sees only the samples from t hops on.

    T = 1 + (S - frame) // hop, so that a frame is the same wherever a clip or a chunk of a stream begins. A frontend
    whose frames also depend on what came before them has `context_seconds`, how far back: its module is given so much
    more audio on the left, [B, context + S], and returns the frames of the rest.
    """

    @property
    def n_features(self) -> int:
        """Number of features per frame, F."""
        ...

    @property
    def frame_seconds(self) -> float:
        """Length of the audio that one frame sees."""
        ...

    @property
    def hop_seconds(self) -> float:
        """Distance between frames."""
        ...

    def build(self, sample_rate: int) -> nn.Module:
        """Return the module."""
        ...


class Normalizer(Protocol):
    """Builds a module [B, F, T] → [B, F, T] with its statistics as buffers.

    A module that has `fit(batches: Iterable[FeatureBatch])` is fitted on the train split, and only there. One that has
    `hear_silence(features)` is given the features [F] of digital silence before that.
    """

    def build(self, n_features: int) -> nn.Module:
        """Return the module, not yet fitted."""
        ...

    # `scope: ClassVar[str]` is optional, hence not declared: `corpus` (a frame's value depends on that frame alone, so
    # that windows of a stream share frames), `window` (what is assumed: each window is normalized by itself) or
    # `running` (on that frame and at most the module's `context_frames` before it: the module is given so many more
    # frames on the left, whose values are then dropped).


class Fittable(Protocol):
    """What a normalizer's module offers when it has statistics to learn."""

    def fit(self, batches: Iterable[FeatureBatch]) -> object:
        """Learn from features [B, F, T], leaving padding frames out."""
        ...


class Sampler(Protocol):
    """Decides which rows of the train split an epoch visits, in which batches."""

    batch_size: int

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return the epoch as row indices (int64, on the CPU), batch by batch.

        `pools` maps each pool to the indices of its rows. How many batches come back depends on the pools' sizes alone.
        Raises WakekitError rather than return an empty epoch.
        """
        ...


class Model(Protocol):
    """An architecture: features [B, F, T] → logits [B, C], class 1 being the keyword.

    A component whose optional attribute `scores` is `frame` builds a module that gives logits [B, C, T'] instead, one
    for every so many frames; it needs a loss whose `per_frame` is True.
    """

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module with fresh weights, from the global generator."""
        ...


class Loss(Protocol):
    """A training criterion.

    May also have `per_frame: ClassVar[bool]`, True where it takes logits [B, C, T'] too; `class_weights`, the weights
    it gives the classes or None; and `rebalances: tuple[str, ...]`, which names what in it makes some rows count for
    more than others (a sampler may have the last one too).
    """

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return (logits [B, C], targets [B, C] floats) → mean loss, a scalar."""
        ...


class Optimizer(Protocol):
    """As in PyTorch."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the model's parameters."""
        ...


class Schedule(Protocol):
    """As in PyTorch: a learning rate for every step."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        """Return a scheduler that is stepped after every optimizer step, `steps` times in all."""
        ...


class Trainer(Protocol):
    """The training loop."""

    def fit(self, task: TrainTask) -> Trained:
        """Return trained weights; the caller's global random state is left untouched."""
        ...


class Callback(Protocol):
    """Watches training and may change it where the contract in `wakekit.callbacks` says so.

    May also have `observes`, True where training comes to the same with it as without it.
    """

    def build(self) -> Hooks:
        """Return the hooks for one training."""
        ...


class Scorer(Protocol):
    """Turns audio into scores with a trained network.

    May also have `context_seconds`, the audio before a window that it needs beyond the network's own context,
    `context_windows`, more of it as a share of what the network hears for a window, `latency_seconds`, how much later
    its scores come than those of each window by itself, and `earlier_seconds`, how much earlier the windows end
    that it hears too, each a multiple of the frontend's hop.
    """

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds [B, n] of the windows of S, one every `hop` samples.

        `audio` is [B, context + S]: the scorer's context, then the network's, then S samples of windows.
        """
        ...


class Calibrator(Protocol):
    """Builds a module from raw scores to probabilities.

    The module maps float64 [N] log-odds to float64 [N] probabilities, and has `fit(scores, labels)` where it learns. A
    calibrator whose `repairs_prior` is True can undo a shift of all log-odds, as class weights in training cause; one
    whose `monotone` is True never gives a higher score a lower probability.
    """

    def build(self) -> nn.Module:
        """Return the module, not yet fitted."""
        ...


class Detector(Protocol):
    """Turns the scores of a stream into detections.

    May also have `sweep(scores) -> ThresholdSweep`, which makes every distinct level (a score, or what the sweep's
    `levels` offers) a threshold to choose from, and `searchable: ClassVar[tuple[str, ...]]`, the options that a search
    for the operating point may vary: never a lockout, which hides words as it hides false accepts.
    """

    hop_seconds: float
    """How often the detector wants a score, also in use."""

    def build(self, threshold: float) -> StreamingDetector:
        """Return a detector at the start of a stream."""
        ...


class StreamingDetector(Protocol):
    """A detector in the middle of a stream."""

    def feed(self, scores: Scores) -> IntArray:
        """Take the next probabilities and return the frames, counted from the stream's start, at which it fired.

        Frames rise, as whole numbers. The result does not depend on how a stream is cut into calls.
        """
        ...


class ThresholdSweep(Protocol):
    """The detections on one whole stream as the threshold falls, faster than building a detector for each.

    May also have `levels() -> FloatArray`: the values [n] that the detector compares with its threshold, where these
    are not the scores themselves. Between two levels next to each other its detections must not change, nor below the
    lowest. They take the place of the distinct scores where the sweeps of all streams offer them; none at all says that
    the detector can fire at no threshold.
    """

    def lower(self, thresholds: Scores) -> Changes:
        """Go on from the last threshold through these [n], each lower than the one before; return what changes.

        At the start the threshold is above every score. After the changes up to a threshold, the detections are those
        that `build` and `feed` give for it.
        """
        ...


class Metric(Protocol):
    """Reads the results of a split and measures.

    Which clips are accepted it asks `results.accepted()`, as pooled folds have a threshold each.

    May also have `statistics(run: Run) -> Sequence[Statistic]`: its measures as functions of how often each clip, word
    or stream of a finished run counts, which is what `wakekit compare` needs for differences between runs; see
    `wakekit.statistic`.
    """

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return measures with intervals, each under a name of its own.

        A value of None with a note where the results allow none. The scores cannot be written to: copy before sorting.
        """
        ...


class Report(Protocol):
    """Shows a finished run to a person.

    May also have `plots(run, folder, form) -> list[Path]`, which writes its figures as files for a paper; `form` is
    `svg` or `png`; and `write_ablation(result, folder) -> Path | None`, which shows an `AblationResult` as `write` does
    a run, with `plot_ablation(result, folder, form) -> list[Path]` for its figures.
    """

    def write(self, run: Run, folder: Path) -> Path | None:
        """Write the report into `folder`, whole or not at all; return the file to open, None where there is none."""
        ...


class Exporter(Protocol):
    """Writes the trained detector as a file that runs without wakekit, and without unpickling anything.

    After `export` the run asks both the trained modules and `load`'s callable for the probabilities of windows of dev,
    and refuses what differs by more than `tolerance`. May also have `check() -> None`, which raises WakekitError where
    it cannot work here, as where a package is missing: it is asked before anything is trained.
    """

    tolerance: float
    """The largest difference of a probability from the trained modules' that is still the same model."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write the modules into `folder`, which is empty; return the file to load, which lies in there."""
        ...

    def load(self, path: Path) -> Callable[[Tensor], Tensor]:
        """Return what was written, to be run: windows float32 [B, S] on the CPU → probabilities [B], for any B.

        The file at `path` is all it may use, with what lies beside it.
        """
        ...


class Launcher(Protocol):
    """Says where the variants of an ablation run; nothing of a result depends on it."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Carry out the jobs, begun in the order given, with `wakekit.launching.work`; return when all have ended.

        `workers` is how many may run at once, where the command line says so. A worker that dies ends its job, not
        the others. Whatever is raised, also by `watch`, no worker goes on after it.
        """
        ...


class Slot(NamedTuple):
    """Where a kind stands in a recipe.

    `many` slots hold tables keyed by id. `neutral` names the component that leaving the table out means; None where a
    """

    kind: str
    key: str
    contract: type
    many: bool = False
    neutral: str | None = None
    implied: bool = False


SLOTS = (
    Slot("corpus", "corpus", Corpus),
    Slot("splitter", "splitter", Splitter, neutral="given"),
    Slot("augmentation", "augmentations", Augmentation, many=True),
    Slot("frontend", "frontend", Frontend),
    Slot("normalizer", "normalizer", Normalizer, neutral="none"),
    Slot("sampler", "sampler", Sampler, neutral="shuffle"),
    Slot("model", "model", Model),
    Slot("loss", "loss", Loss),
    Slot("optimizer", "optimizer", Optimizer),
    Slot("schedule", "schedule", Schedule, neutral="constant"),
    Slot("trainer", "train", Trainer, neutral="standard", implied=True),
    Slot("callback", "callbacks", Callback, many=True),
    Slot("scorer", "scorer", Scorer, neutral="plain"),
    Slot("calibrator", "calibrator", Calibrator, neutral="none"),
    Slot("detector", "detector", Detector),
    Slot("metric", "metrics", Metric, many=True),
    Slot("exporter", "exporters", Exporter, many=True),
    Slot("report", "report", Report, neutral="html"),
    Slot("launcher", "launcher", Launcher, neutral="local"),
)
KINDS = tuple(slot.kind for slot in SLOTS)
