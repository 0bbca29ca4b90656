"""What a recipe does that its author should know of before he believes its numbers; nothing here is an error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.recipe import Recipe

# Balanced batches shift the prior a little in most recipes; by this factor of the odds it is worth a word.
_LARGE = 4.0
_SMALLEST = 1e-6


def cautions(recipe: Recipe) -> list[str]:
    """Return sentences about a recipe that has not run yet."""
    named, weighted, found = _rebalancing(recipe), _class_weighting(recipe), []
    if len(named) > 1:
        found.append(
            f"training counts some rows for more than others twice over, by {' and by '.join(named)}: keep one of them"
        )
    if weighted and not _repairs(recipe):
        found.append(
            f"training reweights the classes ({weighted}), which shifts all scores, and the calibrator "
            f"{_calibrator(recipe)} cannot shift them back: probabilities will be off; use one with a bias, as platt"
        )
    return found


def prior_shift(recipe: Recipe, facts: Mapping[str, float]) -> list[str]:
    """Return a sentence where training counted the keyword much more, or less, than dev holds it.

    `facts` has `keyword_share`, the keyword's share of the loss's weight in training, and `dev_keyword_share`, its
    share of dev's clips. One temperature cannot repair a shift of the prior, and clips of one class alone calibrate
    nothing.
    """
    trained, held = facts["keyword_share"], facts["dev_keyword_share"]
    if held in {0.0, 1.0}:
        return _uncalibrated(recipe, "none" if held == 0.0 else "all")
    shift = _log_odds(trained) - _log_odds(held)
    if _repairs(recipe) or _class_weighting(recipe) or abs(shift) <= math.log(_LARGE):
        return []
    told = (
        f"the keyword had {trained:.0%} of the weight in training and is {held:.0%} of dev's clips: the odds are "
        f"shifted by a factor of {math.exp(abs(shift)):.2g}, which the calibrator {_calibrator(recipe)} cannot undo; "
        "use one with a bias, as platt"
    )
    return [told]


def _uncalibrated(recipe: Recipe, share: str) -> list[str]:
    if not hasattr(recipe["calibrator"].build(), "fit"):
        return []
    told = (
        f"{share} of dev's clips are of the keyword, which tells the calibrator {_calibrator(recipe)} nothing: "
        "probabilities are as the network gives them; add clips of the other class to dev"
    )
    return [told]


def _rebalancing(recipe: Recipe) -> list[str]:
    """Return what in the loss and the sampler makes some rows count for more than others."""
    return [name for key in ("loss", "sampler") for name in getattr(recipe[key], "rebalances", ())]


def _class_weighting(recipe: Recipe) -> str:
    """Return what gives the classes other weights than their rows have, empty where nothing does."""
    weights = getattr(recipe["loss"], "class_weights", None)
    named = ["class weights"] if weights is not None and len(set(weights)) > 1 else []
    return " and ".join([*named, *getattr(recipe["sampler"], "rebalances", ())])


def _repairs(recipe: Recipe) -> bool:
    return bool(getattr(recipe["calibrator"], "repairs_prior", False))


def _calibrator(recipe: Recipe) -> str:
    return repr(recipe.single["calibrator"].entry.component.name)


def _log_odds(share: float) -> float:
    bounded = min(max(share, _SMALLEST), 1 - _SMALLEST)
    return math.log(bounded / (1 - bounded))
