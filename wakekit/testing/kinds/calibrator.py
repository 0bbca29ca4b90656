"""Calibrators: log-odds to probabilities, fitted on one split and used on others.

A calibrator whose `monotone` is True promises that higher scores never get lower probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same

if TYPE_CHECKING:
    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_SIZES = (1, 2, 7, 100)
_AS_GOOD = 0.02


@exercise("calibrator")
def probabilities(subject: Subject, device: torch.device) -> dict[str, Tensor]:
    """Return the probabilities of a grid of log-odds, before fitting and after it."""
    module = subject.value.build().to(device)
    grid = _grid().to(device)
    fresh = module(grid)
    return {"fresh": fresh, "fitted": _fitted(module, device)(grid)}


def _fitted(module: nn.Module, device: torch.device = _CPU, *, clips: tuple[Tensor, Tensor] | None = None) -> nn.Module:
    scores, labels = clips or _clips()
    fit: Any = getattr(module, "fit", None)
    if fit is not None:
        fit(scores.to(device), labels.to(device))
    return module


def _clips(positives: int = 80, negatives: int = 240, *, turned: bool = False) -> tuple[Tensor, Tensor]:
    """Return log-odds that are too sure and off by a bias, with labels; `turned`, the keywords have the lower ones."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.cat([torch.ones(positives), torch.zeros(negatives)]).double()
    noise = torch.randn(len(labels), generator=generator, dtype=torch.float64)
    return (-3 if turned else 3) * (2 * labels - 1) + 4 * noise + 1.5, labels


def _grid() -> Tensor:
    return torch.linspace(-60, 60, 481, dtype=torch.float64)


@check("calibrator")
def gives_probabilities(subject: Subject) -> None:
    """Float64 log-odds [N] become float64 probabilities [N] from 0 to 1, also for very large ones and for none."""
    module = _fitted(subject.value.build())
    for scores in (_grid(), torch.tensor([-1e4, 0.0, 1e4], dtype=torch.float64), _grid()[:0]):
        found = module(scores)
        assert found.shape == scores.shape, f"expected {list(scores.shape)}, got {list(found.shape)}"
        assert found.dtype == torch.float64, f"expected float64, got {found.dtype}"
        _from_0_to_1(found)


def _from_0_to_1(found: Tensor, when: str = "") -> None:
    wrong = found[~((found >= 0) & (found <= 1))]
    assert not len(wrong), f"{when}expected values from 0 to 1, got {wrong[0]:g}, one of {len(wrong)} outside"


@check("calibrator", when=lambda subject: bool(getattr(subject.value, "monotone", False)))
def monotone(subject: Subject) -> None:
    """It says that higher scores never get lower probabilities, fitted or not, and so they do."""
    stated = subject.value.monotone
    assert isinstance(stated, bool), f"monotone: expected True or False, got {stated!r}"
    told = {"": (_clips(), _grid()), "fitted to the opposite, ": (_clips(turned=True), _grid())}
    told |= {"for very large log-odds, ": (_clips(), 20 * _grid())}
    for when, (clips, grid) in told.items():
        for module in (subject.value.build(), _fitted(subject.value.build(), clips=clips)):
            falls = torch.diff(module(grid)) < 0
            where = float(grid[:-1][falls][:1].sum())
            assert not bool(falls.any()), f"its `monotone` is True, and {when}probabilities fall after {where:g}"


@check("calibrator")
def keeps_what_scores_tell(subject: Subject) -> None:
    """Where keywords have the higher scores they have the higher probabilities on the whole, fitted or not."""
    scores, labels = _clips()
    for when, module in (("", subject.value.build()), ("fitted, ", _fitted(subject.value.build()))):
        found = module(scores)
        keyword, other = float(found[labels == 1].mean()), float(found[labels == 0].mean())
        told = f"{when}it gives keywords a probability of {keyword:.3g} on the whole, and others {other:.3g}"
        assert keyword > other, told


@check("calibrator", when=lambda subject: bool(getattr(subject.value, "repairs_prior", False)))
def repairs_a_prior(subject: Subject) -> None:
    """It says that it undoes a shift of all log-odds: fitted on shifted ones it is nearly as good as on the others."""
    stated = subject.value.repairs_prior
    assert isinstance(stated, bool), f"repairs_prior: expected True or False, got {stated!r}"
    scores, labels = _clips()
    usual = _surprise(_fitted(subject.value.build()), scores, labels)
    for shift in (-4.0, 4.0):
        fitted = _fitted(subject.value.build(), clips=(scores + shift, labels))
        found = _surprise(fitted, scores + shift, labels)
        told = f"the log loss of clips is {usual:.3g}, and {found:.3g} where all log-odds are {shift:+g}"
        assert found < usual + _AS_GOOD, f"its `repairs_prior` is True, and fitted, {told}"


def _surprise(module: nn.Module, scores: Tensor, labels: Tensor) -> float:
    """Return the mean log loss of clips."""
    found = module(scores).detach().clamp(1e-12, 1 - 1e-12)
    return float(nn.functional.binary_cross_entropy(found, labels))


@check("calibrator")
def each_score_by_itself(subject: Subject) -> None:
    """The probability of a score does not depend on the scores beside it."""
    module = _fitted(subject.value.build())
    whole = module(_grid())
    for size in _SIZES:
        pieces = torch.cat([module(part) for part in _grid().split(size)])
        assert_same(pieces, whole, tolerance=1e-12, where=f"in pieces of {size}, the probabilities")


@check("calibrator")
def saved_is_loaded(subject: Subject) -> None:
    """A state that is saved and loaded into a fresh module gives the same probabilities, to the bit."""
    fitted = _fitted(subject.value.build())
    fresh = subject.value.build()
    fresh.load_state_dict({name: value.clone() for name, value in fitted.state_dict().items()})
    assert_same(fresh(_grid()), fitted(_grid()))


@check("calibrator")
def input_untouched(subject: Subject) -> None:
    """Neither fitting nor use writes into the scores and labels that it is given."""
    scores, labels = _clips()
    module = subject.value.build()
    fit: Any = getattr(module, "fit", None)
    if fit is not None:
        fit(scores, labels)
    grid = _grid()
    module(grid)
    assert_same((scores, labels, grid), (*_clips(), _grid()))


@check("calibrator", when=lambda subject: hasattr(subject.value.build(), "fit"))
def order_of_clips_free(subject: Subject) -> None:
    """Clips in another order fit the same map."""
    scores, labels = _clips()
    order = torch.randperm(len(scores), generator=torch.Generator().manual_seed(1))
    other: Any = subject.value.build()
    other.fit(scores[order], labels[order])
    assert_same(other(_grid()), _fitted(subject.value.build())(_grid()), tolerance=1e-6)


@check("calibrator", when=lambda subject: hasattr(subject.value.build(), "fit"))
def one_class_fits(subject: Subject) -> None:
    """Clips of one class alone say little, and still leave probabilities."""
    for positives, negatives in ((20, 0), (0, 20)):
        module: Any = subject.value.build()
        module.fit(*_clips(positives, negatives))
        found = module(_grid())
        _from_0_to_1(found, "with one class, ")
