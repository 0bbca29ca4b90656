"""Normalizers: features to features, by statistics of the train split, of the window, or of the frames just before.

A normalizer's `scope` says what a frame's value depends on: `corpus`, that frame alone; `running`, that frame and its
module's `context_frames` before it; `window`, all frames of the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from wakekit.batch import FeatureBatch
from wakekit.testing.checks import check, exercise
from wakekit.testing.devices import assert_moves
from wakekit.testing.same import assert_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_F = 7
_LENGTHS = (40, 31, 12, 40, 1, 25)
_POISON = 1e6
_SILENT = -13.8
_CLOSE = 1e-4
_SCOPES = ("corpus", "window", "running")


@exercise("normalizer")
def normalized(subject: Subject, device: torch.device) -> dict[str, Any]:
    """Return features normalized by statistics of others, and the statistics."""
    module = _fitted(subject, _batches(), device)
    state = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
    return {"normalized": _of(module, _features(3, _long(module), seed=5).to(device)), "state": state}


def _features(rows: int, frames: int, seed: int = 0, n_features: int = _F) -> Tensor:
    """Return features [rows, n_features, frames] whose levels and spreads differ by feature and by row."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.linspace(-9, 4, n_features)[:, None] + torch.randn(rows, 1, 1, generator=generator)
    spread = torch.linspace(0.5, 3, n_features)[:, None]
    return level + spread * torch.randn(rows, n_features, frames, generator=generator)


def _batches(sizes: Sequence[int] = (6,), order: Sequence[int] = range(6), padding: float = 0.0) -> list[FeatureBatch]:
    """Return the same six rows of features, in another order, cut into batches and padded with a value."""
    features, lengths = _features(len(_LENGTHS), max(_LENGTHS)), torch.tensor(_LENGTHS)
    features[(torch.arange(max(_LENGTHS)) >= lengths[:, None])[:, None].expand_as(features)] = padding
    rows = torch.tensor(list(order))
    return [FeatureBatch(features[part], lengths[part]) for part in rows.split(list(sizes))]


def _module(subject: Subject, n_features: int = _F, device: torch.device = _CPU) -> nn.Module:
    module: nn.Module = subject.value.build(n_features).to(device)
    hear: Any = getattr(module, "hear_silence", None)
    if hear is not None:
        hear(torch.full((n_features,), _SILENT, device=device))
    return module


def _fitted(subject: Subject, batches: Sequence[FeatureBatch], device: torch.device = _CPU) -> nn.Module:
    n_features = batches[0].features.shape[1]
    return _fit(_module(subject, n_features, device), batches, device).eval()


def _fit(module: nn.Module, batches: Sequence[FeatureBatch], device: torch.device = _CPU) -> nn.Module:
    fit: Any = getattr(module, "fit", None)
    if fit is not None:
        with torch.no_grad():
            fit(FeatureBatch(batch.features.to(device), batch.frames.to(device)) for batch in batches)
    return module


def _of(module: nn.Module, features: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = module(features)
    return found


def _context(module: nn.Module) -> int:
    return int(getattr(module, "context_frames", 0))


def _long(module: nn.Module) -> int:
    """Return a number of frames that a context leaves some of."""
    return _context(module) + 30


def _learns(subject: Subject) -> bool:
    return hasattr(subject.value.build(_F), "fit")


def _scope(subject: Subject) -> str:
    return str(getattr(subject.value, "scope", "window"))


@check("normalizer")
def shape_kept(subject: Subject) -> None:
    """Features [B, F, T] in float32 come back as such, for any B, F and T."""
    for n_features in (1, _F, 40):
        module = _fitted(subject, [FeatureBatch(_features(3, 50, n_features=n_features), torch.tensor([50, 50, 7]))])
        for rows, frames in ((1, 1), (3, 2), (2, _long(module))):
            features = _features(rows, frames, seed=1, n_features=n_features)
            found = _of(module, features)
            expected = list(features.shape)
            assert list(found.shape) == expected, f"expected {expected}, got {list(found.shape)}"
            assert found.dtype == torch.float32, f"expected float32, got {found.dtype}"


@check("normalizer")
def known_scope(subject: Subject) -> None:
    """`scope` is corpus, window or running, and one that is running has a module with `context_frames`."""
    scope, module = _scope(subject), subject.value.build(_F)
    assert scope in _SCOPES, f"expected scope to be one of {', '.join(_SCOPES)}, got {scope!r}"
    if scope == "running":
        frames = getattr(module, "context_frames", None)
        whole = isinstance(frames, int) and frames >= 0
        assert whole, f"expected context_frames, a whole number of at least 0, on the module, got {frames!r}"


@check("normalizer", when=_learns)
def padding_left_out(subject: Subject) -> None:
    """Padding frames, whatever they hold, have no part in what is learnt."""
    features = _features(2, 260, seed=1)
    expected = _of(_fitted(subject, _batches()), features)
    for padding in (_POISON, -_POISON, _SILENT):
        found = _of(_fitted(subject, _batches(padding=padding)), features)
        assert_same(found, expected, tolerance=1e-5, where=f"fitted with padding of {padding:g}, the features")


@check("normalizer", when=_learns)
def cuts_into_batches_free(subject: Subject) -> None:
    """The same rows in other batches, or in another order, teach the same."""
    features = _features(2, 260, seed=1)
    expected = _of(_fitted(subject, _batches()), features)
    for sizes, order in (((1,) * 6, range(6)), ((4, 2), range(6)), ((1, 3, 2), (5, 3, 1, 0, 2, 4))):
        found = _of(_fitted(subject, _batches(sizes, order)), features)
        where = f"fitted on rows {list(order)} in batches of {list(sizes)}, the features"
        assert_same(found, expected, tolerance=_CLOSE, where=where)


@check("normalizer", when=_learns)
def fitted_anew(subject: Subject) -> None:
    """Fitting forgets what was learnt before."""
    features = _features(2, 260, seed=1)
    module = _module(subject)
    others = [FeatureBatch(50 + 9 * _features(4, 33, seed=8), torch.tensor([33, 20, 5, 33]))]
    found = _of(_fit(_fit(module, others), _batches()).eval(), features)
    expected = _of(_fitted(subject, _batches()), features)
    assert_same(found, expected, tolerance=1e-6, where="fitted on others first, the features")


@check("normalizer", when=lambda subject: _scope(subject) == "corpus")
def frame_by_frame(subject: Subject) -> None:
    """Its scope is corpus: each frame of a stream by itself gives what the whole gives."""
    module, features = _fitted(subject, _batches()), _features(3, 30, seed=1)
    whole = _of(module, features)
    pieces = torch.cat([_of(module, frame) for frame in features.split(1, dim=2)], dim=2)
    assert_same(pieces, whole, tolerance=_CLOSE, where="frame by frame, the features")


@check("normalizer", when=lambda subject: _scope(subject) == "running")
def stream_in_pieces(subject: Subject) -> None:
    """Its scope is running: pieces of a stream, each with `context_frames` before it, give what the whole gives."""
    module = _fitted(subject, _batches())
    context = _context(module)
    features = _features(2, _long(module), seed=1)
    whole = _of(module, features)[..., context:]
    for size in (1, 7):
        starts = range(0, whole.shape[2], size)
        pieces = [_of(module, features[..., first : first + context + size])[..., context:] for first in starts]
        assert_same(torch.cat(pieces, dim=2), whole, tolerance=_CLOSE, where=f"in pieces of {size}, the features")


@check("normalizer")
def each_window_by_itself(subject: Subject) -> None:
    """A window's features do not depend on the windows beside it."""
    module = _fitted(subject, _batches())
    frames = _long(module)
    silent = torch.full((1, _F, frames), _SILENT)
    windows = torch.cat([_features(3, frames, seed=1), 100 + _features(1, frames, seed=2), silent])
    whole = _of(module, windows)
    for row in range(len(windows)):
        alone = _of(module, windows[row : row + 1])
        assert_same(alone, whole[row : row + 1], tolerance=_CLOSE, where=f"alone, the features of window {row}")


@check("normalizer")
def same_after_use(subject: Subject) -> None:
    """What it was given in use changes nothing, nor does the module's mode: training sees what streams see."""
    module = _fitted(subject, _batches())
    features = _features(2, _long(module), seed=1)
    expected = _of(module, features)
    for training in (True, False):
        _of(module.train(training), 100 + 9 * _features(4, _long(module), seed=2))
        where = f"after other features, with training = {training}, the features"
        assert_same(_of(module, features), expected, where=where)


@check("normalizer")
def saved_is_loaded(subject: Subject) -> None:
    """What is saved as tensors and loaded into a fresh module gives the same features, to the bit."""
    fitted = _fitted(subject, _batches())
    state = fitted.state_dict()
    odd = [name for name, value in state.items() if not isinstance(value, Tensor)]
    assert not odd, f"expected tensors alone in its state_dict, got {odd[0]!r}, which is none"
    fresh = subject.value.build(_F).eval()
    fresh.load_state_dict({name: value.clone() for name, value in state.items()})
    features = _features(2, _long(fitted), seed=1)
    features[:, :, 3:9] = _SILENT
    assert_same(_of(fresh, features), _of(fitted, features), where="saved and loaded, the features")


@check("normalizer")
def finite_features(subject: Subject) -> None:
    """Features that never change, silence among them, come out finite, whether fitted on them or not."""
    flat = torch.linspace(-20, 20, _F)[:, None].expand(4, _F, 300)
    silent = torch.full((4, _F, 300), _SILENT)
    half = torch.cat([silent[..., :150], _features(4, 150, seed=1)], dim=2)
    usual = _fitted(subject, _batches())
    steady = _fitted(subject, [FeatureBatch(flat.clone(), torch.tensor([300, 4, 300, 9]))])
    for name, features in {"steady features": flat, "silence": silent, "sound after silence": half}.items():
        for how, module in {"usual": usual, "steady": steady}.items():
            found = _of(module, features.clone())
            assert bool(found.isfinite().all()), f"fitted on {how} features, {name} gave NaN or infinity"


@check("normalizer")
def large_mean_small_spread(subject: Subject) -> None:
    """Features far from 0 that change little lose no digits: in float64 the outcome is the same within 1 %."""
    features = 1000 + 0.1 * torch.randn(4, _F, 300, generator=torch.Generator().manual_seed(0))
    batches = [FeatureBatch(features, torch.tensor([300, 300, 250, 7]))]
    found = _of(_fitted(subject, batches), features)
    try:
        exact = _module(subject).double()
        wide = [FeatureBatch(batch.features.double(), batch.frames) for batch in batches]
        expected = _of(_fit(exact, wide).eval(), features.double())
    except Exception:  # noqa: BLE001 - a module need not take float64
        return
    assert_same(found.double(), expected.double(), tolerance=0.01, where="in float32, the features")


@check("normalizer")
def moves_to_a_device(subject: Subject) -> None:
    """The module computes on the device that it is moved to: its tensors are buffers or parameters."""
    module = _fitted(subject, _batches())
    assert_moves(module, _features(2, _long(module), seed=1))


@check("normalizer")
def input_untouched(subject: Subject) -> None:
    """Neither fitting nor use writes into the features that it is given."""
    batches = _batches()
    module = _fitted(subject, batches)
    features = _features(2, _long(module), seed=1)
    _of(module, features)
    given = [batches[0].features, batches[0].frames, features]
    expected = [_batches()[0].features, _batches()[0].frames, _features(2, _long(module), seed=1)]
    assert_same(given, expected, where="the features, afterwards")
