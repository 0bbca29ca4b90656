"""Augmentations: a batch, or a whole recording, changed by draws that each row has of its own.

One that blends rows takes the others through `batch.draws.taken`, by which it is known; what holds for single rows is
not asked of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from torch import Tensor

from wakekit.batch import AudioTable, Batch, Draws, Recorded, Sources
from wakekit.distributed import World
from wakekit.errors import WakekitError
from wakekit.testing.checks import check, exercise
from wakekit.testing.devices import assert_stays, on_cuda
from wakekit.testing.same import assert_same
from wakekit.testing.sounds import RATE, extremes, sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from wakekit.testing.subject import Subject

    Floats = npt.NDArray[np.float32]
    Change = Callable[[Batch], Batch]

_CPU = torch.device("cpu")
_DOMAINS = ("waveform", "features", "recording")
_ROWS, _SAMPLES, _SHAPE = 8, 4000, (10, 25)
_SEED = 7
_CLOSE = 1e-5
_TRIES = 50


@exercise("augmentation")
def augmented(subject: Subject, device: torch.device) -> dict[str, Any]:
    """Return a batch, and a recording, as the augmentation leaves it; what it has no verb for is left out."""
    found: dict[str, Any] = {}
    if _builds(subject):
        found["batch"] = _tensors(_change(subject, _sources(device))(_batch(subject, device=device)))
    if _records(subject):
        found["recording"] = _recorded(subject, _recording(), (RATE,))
    return found


@attrs.frozen(eq=False)
class _Watched(Draws):
    """Draws that note who asks for other rows."""

    blends: list[bool] = attrs.field(factory=list)

    def taken(self, values: Tensor, places: Tensor) -> Tensor:
        """Return other rows, as `Draws` does."""
        self.blends.append(True)
        return Draws(self.generator, self.rows, self.device, self.world).taken(values, places)


def _builds(subject: Subject) -> bool:
    return hasattr(subject.cls, "build") and getattr(subject.cls, "domain", "") != "recording"


def _records(subject: Subject) -> bool:
    return hasattr(subject.cls, "record")


def _blends(subject: Subject) -> bool:
    draws = _Watched(_generator(), _ROWS, _CPU)
    _change(subject)(_batch(subject, draws=draws))
    return bool(draws.blends)


def _treats_rows(subject: Subject) -> bool:
    return _builds(subject) and not _blends(subject)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(_SEED)


def _table(rows: list[Tensor], device: torch.device = _CPU) -> AudioTable:
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    audio = torch.cat([*rows, torch.zeros(0)]).mul(32767).to(torch.int16)
    return AudioTable(audio.to(device), lengths.cumsum(0) - lengths, lengths, RATE)


def _sources(device: torch.device = _CPU) -> Sources:
    """Return background of several lengths, a very short one among them, and the answers of three rooms."""
    background = [sound(1, samples, seed=20)[0] for samples in (RATE, 400, 5000)]
    decay = torch.exp(-torch.arange(2000) / 300)
    rooms = [0.3 * sound(1, 2000, seed=30 + room)[0] * decay for room in range(3)]
    for place, room in enumerate(rooms):
        room[10 * place] = 0.9
    return Sources(_table(background, device), _table(rooms, device), RATE)


def _batch(
    subject: Subject,
    rows: int = _ROWS,
    samples: int = _SAMPLES,
    *,
    seed: int = 0,
    device: torch.device = _CPU,
    draws: Draws | None = None,
    shape: tuple[int, int] = _SHAPE,
) -> Batch:
    """Return rows of sound, some of them padded at their end, with targets and, for their domain alone, features."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.where(torch.arange(rows) % 3 == 1, 2 * samples // 3, samples)
    audio = sound(rows, samples, seed) * (torch.arange(samples) < lengths[:, None])
    targets = torch.nn.functional.one_hot(torch.arange(rows) % 2, 2).float()
    targets[::4] = torch.tensor([0.9, 0.1])
    features = None
    if getattr(subject.cls, "domain", "") == "features":
        features = torch.randn(rows, *shape, generator=generator).to(device)
    drawn = draws or Draws(_generator(), rows, device)
    return Batch(audio.to(device), lengths.to(device), targets.to(device), drawn, features)


def _change(subject: Subject, sources: Sources | None = None, **options: Any) -> Change:  # noqa: ANN401
    change: Change = subject.build(**options).build(sources or _sources())
    return change


def _tensors(batch: Batch) -> dict[str, Tensor | None]:
    return {name: getattr(batch, name) for name in ("audio", "lengths", "targets", "features")}


def _rows(batch: Batch, part: Any) -> dict[str, Tensor]:  # noqa: ANN401
    return {name: values[part] for name, values in _tensors(batch).items() if values is not None}


def _cloned(batch: Batch) -> dict[str, Tensor]:
    return {name: values.clone() for name, values in _tensors(batch).items() if values is not None}


@check("augmentation")
def known_domain(subject: Subject) -> None:
    """`domain` is waveform or features, or recording where it has `record` alone."""
    domain = getattr(subject.cls, "domain", None)
    assert domain in _DOMAINS, f"expected domain to be one of {', '.join(_DOMAINS)}, got {domain!r}"
    if domain == "recording":
        assert _records(subject), "its domain is recording, and it has no `record`"
        builds = hasattr(subject.cls, "build")
        assert not builds, "its domain is recording, and so its `build` is never called: call it waveform"


@check("augmentation", when=_builds)
def shapes_kept(subject: Subject) -> None:
    """Audio, lengths, targets and features keep shape, dtype and device; what is not of its domain keeps its values."""
    for rows, samples in ((_ROWS, _SAMPLES), (1, 3001), (1, 2 * RATE)):
        batch = _batch(subject, rows, samples, shape=(5, max(1, samples // 160)))
        before = _cloned(batch)
        found = _change(subject)(batch)
        assert isinstance(found, Batch), f"expected a Batch, got {found!r:.80}"
        for name, values in before.items():
            _same_form(getattr(found, name), values, name)
        lengths = found.lengths
        good = bool(((lengths >= 0) & (lengths <= samples)).all())
        assert good, f"expected lengths from 0 to {samples}, got {lengths.tolist()}"
        other = "features" if batch.features is None else "audio"
        assert_same(getattr(found, other), before.get(other), where=f"not of its domain, {other}")


def _same_form(found: object, expected: Tensor, name: str) -> None:
    assert isinstance(found, Tensor), f"{name}: expected a tensor, got {found!r:.80}"
    told = [(str(one.dtype), list(one.shape), one.device.type) for one in (found, expected)]
    assert told[0] == told[1], f"{name}: expected {told[1]}, got {told[0]}"


@check("augmentation", when=_builds)
def targets_keep_their_sum(subject: Subject) -> None:
    """Targets stay at least 0, and each row's sum stays what it was."""
    before = _batch(subject).targets
    found = _change(subject)(_batch(subject)).targets
    assert bool((found >= 0).all()), f"expected targets of at least 0, got {float(found.min())}"
    assert_same(found.sum(dim=1), before.sum(dim=1), tolerance=_CLOSE, where="the sums of targets")


@check("augmentation", when=_builds)
def finite_values(subject: Subject) -> None:
    """Silence, full scale, and rows without a real sample come out finite, as do features that are all alike."""
    audio = torch.cat(list(extremes(_SAMPLES).values()))
    for length in (_SAMPLES, 0):
        batch = _batch(subject, len(audio))
        features = None if batch.features is None else torch.zeros_like(batch.features)
        lengths = torch.full_like(batch.lengths, length)
        found = _change(subject)(attrs.evolve(batch, audio=audio.clone(), features=features, lengths=lengths))
        for name, values in _cloned(found).items():
            assert bool(values.isfinite().all()), f"{name}: expected finite values, got NaN or infinity"


@check("augmentation", when=_treats_rows)
def row_by_row(subject: Subject) -> None:
    """A row's result depends on that row and its draws, not on what the other rows hold."""
    change, batch, others = _change(subject), _batch(subject), _batch(subject, seed=50)
    whole = change(batch)
    for row in (0, 3, _ROWS - 1):
        mixed = {name: values.clone() for name, values in _cloned(others).items()}
        for name, values in _cloned(_batch(subject)).items():
            mixed[name][row] = values[row]
        found = change(Batch(**mixed, draws=Draws(_generator(), _ROWS, _CPU)))
        where = f"with other rows beside it, row {row}"
        assert_same(_rows(found, row), _rows(whole, row), tolerance=_CLOSE, where=where)


@check("augmentation", when=_treats_rows)
def part_of_a_batch(subject: Subject) -> None:
    """Several processes, each with some of the rows, get what one gets with all, and leave the generator alike."""
    change, batch = _change(subject), _batch(subject)
    whole = change(batch)
    after = batch.draws.generator.get_state()
    for rank in range(3):
        world, given = World(rank, 3), _batch(subject)
        part = world.part(_ROWS)
        draws = Draws(_generator(), _ROWS, _CPU, world)
        found = change(Batch(**_rows(given, part), draws=draws))
        where = f"in process {rank} of 3, which has some of the rows, batch"
        assert_same(_rows(found, slice(None)), _rows(whole, part), tolerance=_CLOSE, where=where)
        alike = torch.equal(draws.generator.get_state(), after)
        assert alike, (
            f"process {rank} of 3 draws other numbers than one with all: draw by `batch.draws`, or for all its `rows`"
        )


@check("augmentation", when=_builds)
def input_untouched(subject: Subject) -> None:
    """The batch that it is given, and the sources, are not written into: it returns a changed copy."""
    sources, batch = _sources(), _batch(subject)
    before = _cloned(batch)
    _change(subject, sources)(batch)
    assert_same(_rows(batch, slice(None)), before, where="afterwards, batch")
    for name in ("background", "impulse_responses"):
        for part in ("audio", "starts", "lengths"):
            given = [getattr(getattr(one, name), part) for one in (sources, _sources())]
            assert_same(*given, where=f"afterwards, {name}.{part}")


@check("augmentation", when=_builds)
def same_after_use(subject: Subject) -> None:
    """What it did before changes nothing: the same batch with the same generator comes out the same."""
    change = _change(subject)
    first = _tensors(change(_batch(subject)))
    change(_batch(subject, 5, 6000, seed=3))
    assert_same(_tensors(change(_batch(subject))), first, where="after another, batch")


@check("augmentation", when=_builds)
def stays_on_the_device(subject: Subject) -> None:
    """It computes on the batch's device, whose draws `batch.draws` gives: nobody moves what it makes."""
    assert_stays(
        lambda: _on_cuda(subject), "given a batch on a CUDA device it", "make tensors with device=batch.audio.device"
    )


def _on_cuda(subject: Subject) -> Tensor:
    """Return what is changed of a batch without values on a CUDA device, the sources being there too."""
    batch, sources = _batch(subject), _sources()
    there = {name: on_cuda(values) for name, values in _cloned(batch).items()}
    background, rooms = (
        attrs.evolve(table, audio=on_cuda(table.audio)) for table in (sources.background, sources.impulse_responses)
    )
    change = _change(subject, Sources(background, rooms, RATE))
    found = change(Batch(**there, draws=Draws(_generator(), _ROWS, torch.device("cuda"))))
    changed: Tensor | None = found.audio if found.features is None else found.features
    assert changed is not None
    return changed


@check("augmentation", when=_builds)
def changes_something(subject: Subject) -> None:
    """Of many batches it changes some, also with `probability = 1`; where its defaults change none, give an example."""
    cases: list[dict[str, Any]] = [{}, {"probability": 1.0}] if _has_probability(subject) else [{}]
    for options in cases:
        change, draws = _change(subject, **options), Draws(_generator(), _ROWS, _CPU)
        before = _tensors(_batch(subject))
        found = [_tensors(change(_batch(subject, draws=draws))) for _ in range(_TRIES)]
        told = f" with {options}" if options else ""
        assert any(not _equal(one, before) for one in found), f"{_TRIES} batches{told} come out as they were"


def _equal(one: dict[str, Tensor | None], two: dict[str, Tensor | None]) -> bool:
    pairs = [(values, two[name]) for name, values in one.items()]
    return all(torch.equal(first, second) for first, second in pairs if first is not None and second is not None)


@check("augmentation", when=_builds)
def missing_sources_told(subject: Subject) -> None:
    """A split without background and impulse responses is enough, or is refused with a WakekitError."""
    try:
        change = _change(subject, Sources(_table([]), _table([]), RATE))
    except WakekitError as error:
        told = str(error).strip()
    else:
        change(_batch(subject))
        return
    assert told, "expected a sentence that says what is missing, got none"


def _has_probability(subject: Subject) -> bool:
    names = {field.name for field in attrs.fields(subject.cls) if field.init}
    return _builds(subject) and "probability" in names and subject.build(probability=0.0) is not None


@check("augmentation", when=_has_probability)
def probability_0_changes_nothing(subject: Subject) -> None:
    """With `probability = 0` a batch stays as it is."""
    found = _change(subject, probability=0.0)(_batch(subject))
    assert_same(_tensors(found), _tensors(_batch(subject)), tolerance=1e-6, where="with probability = 0, batch")


def _recording(samples: int = RATE + 123) -> Floats:
    made: Floats = sound(1, samples, seed=4)[0].numpy().copy()
    return made


def _recorded(subject: Subject, samples: Floats, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Return a whole recording as `record` leaves it, given in blocks of these sizes in turn."""
    draws = Draws(_generator(), 1, _CPU)
    made = subject.value.record(_blocks(samples, sizes), RATE, draws)
    assert isinstance(made, Recorded), f"expected a wakekit Recorded, got {made!r:.80}"
    blocks = list(made.blocks)
    for block in blocks:
        told = f"{getattr(block, 'dtype', type(block))} {list(np.shape(block))}"
        good = isinstance(block, np.ndarray) and block.ndim == 1 and block.dtype == np.float32
        assert good, f"expected blocks of float32 [n], got {told}"
    return {"samples": np.concatenate([*blocks, np.empty(0, np.float32)]), "time_scale": float(made.time_scale)}


def _blocks(samples: Floats, sizes: tuple[int, ...]) -> Iterator[Floats]:
    first, turn = 0, 0
    while first < len(samples):
        size = sizes[turn % len(sizes)]
        yield samples[first : first + size].copy()
        first, turn = first + size, turn + 1


@check("augmentation", when=_records)
def recording_free_of_blocks(subject: Subject) -> None:
    """A recording comes out the same whatever the blocks that it is read in."""
    samples = _recording()
    expected = _recorded(subject, samples, (len(samples),))
    for sizes in ((RATE // 2,), (4001, 77, 6000), (509,)):
        found = _recorded(subject, samples, sizes)
        assert_same(found, expected, tolerance=_CLOSE, where=f"in blocks of {list(sizes)}, recording")


@check("augmentation", when=_records)
def recording_as_long_as_said(subject: Subject) -> None:
    """A recording comes out finite and `time_scale` times as long, to within a sample, however short or loud it is."""
    loud = extremes(RATE // 2)
    given = {f"{count} samples": _recording(count) for count in (RATE + 123, RATE // 2, 801)}
    given |= {name: audio[0].numpy() for name, audio in loud.items()}
    for name, samples in given.items():
        found = _recorded(subject, samples, (4001,))
        told = found["samples"]
        assert np.isfinite(told).all(), f"{name}: expected finite samples, got NaN or infinity"
        expected = found["time_scale"] * len(samples)
        good = abs(len(told) - expected) < 1
        assert good, f"{name}: expected {expected:g} samples ({found['time_scale']:g} times as long), got {len(told)}"
