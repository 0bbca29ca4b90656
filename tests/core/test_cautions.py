"""What a recipe's author is told before he believes its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wakekit.cautions import cautions, prior_shift
from wakekit.recipe import Recipe, load_recipe
from wakekit.registry import installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed


def changed(recipe_file: Path, *changes: str) -> Recipe:
    """Return the tiny recipe with changes."""
    return load_recipe(recipe_file, installed(), changes=changes)


@pytest.mark.parametrize("calibrator", ["temperature", "none"])
def test_class_weights_need_more_than_a_temperature(recipe_file: Path, calibrator: str) -> None:
    """T27: reweighted classes shift the prior, which one temperature cannot repair; a bias can."""
    weights = "loss.class_weights=[1.0, 8.0]"
    (told,) = cautions(changed(recipe_file, weights, f"calibrator={calibrator}"))
    assert "class weights" in told
    assert repr(calibrator) in told
    assert "platt" in told
    assert not cautions(changed(recipe_file, weights, "calibrator=platt"))
    assert not cautions(changed(recipe_file, "loss.class_weights=[2.0, 2.0]"))
    assert not cautions(changed(recipe_file))


def test_rows_counted_twice_over(recipe_file: Path) -> None:
    """T28: focal loss on top of class weights, or class weights on top of weighted sampling, is said to be double."""
    focal = changed(recipe_file, "loss=focal", "calibrator=platt")
    assert not cautions(focal)
    (told,) = cautions(changed(recipe_file, "loss={type='focal', alpha=[1.0, 4.0]}", "calibrator=platt"))
    assert "twice over, by focal loss and by class weights (alpha)" in told
    (told,) = cautions(
        changed(recipe_file, "loss.class_weights=[1.0, 4.0]", "sampler={type='weighted', hard=3.0}", "calibrator=platt")
    )
    assert "by class weights and by weighted sampling" in told


def test_check_prints_them(recipe_file: Path, typed: Typed) -> None:
    """They are no errors: the recipe is ok."""
    answer = typed("check", recipe_file, "--set", "loss.class_weights=[1.0, 8.0]")
    assert answer.code == 0
    assert "caution: training reweights the classes (class weights)" in answer.out


def test_a_large_shift_of_the_prior_is_said(recipe_file: Path) -> None:
    """Where training counted the keyword much more than dev holds it, whatever made it so."""
    facts = {"keyword_share": 0.5, "dev_keyword_share": 0.05}
    (told,) = prior_shift(changed(recipe_file), facts)
    assert "50% of the weight in training and is 5% of dev's clips" in told
    assert "by a factor of 19" in told
    assert not prior_shift(changed(recipe_file, "calibrator=platt"), facts)
    assert not prior_shift(changed(recipe_file), {"keyword_share": 0.4, "dev_keyword_share": 0.3})


def test_a_dev_of_one_class_calibrates_nothing(recipe_file: Path) -> None:
    """It is said, rather than advice given that would not help; a calibrator that fits nothing has nothing to say."""
    facts = {"keyword_share": 0.3, "dev_keyword_share": 1.0}
    for calibrator in ("temperature", "platt", "isotonic", "beta"):
        (told,) = prior_shift(changed(recipe_file, f"calibrator={calibrator}"), facts)
        assert f"all of dev's clips are of the keyword, which tells the calibrator {calibrator!r} nothing" in told
    assert not prior_shift(changed(recipe_file, "calibrator=none"), facts)


def test_a_model_with_scores_per_frame_needs_a_loss_for_them(recipe_file: Path, typed: Typed) -> None:
    """It is refused before anything runs, at the loss."""
    frames = "model={type='crnn', scores='frame'}"
    answer = typed("check", recipe_file, "--set", frames)
    assert answer.code == 2
    assert "loss.type: the model gives a score per frame, and this loss takes one per window" in answer.err
    assert typed("check", recipe_file, "--set", frames, "--set", "loss=max-pooling").code == 0


def test_a_shift_between_frames_is_refused_before_anything_runs(recipe_file: Path, typed: Typed) -> None:
    """No trained model is lost to a scorer that cannot score: the check is the run's own first step."""
    answer = typed("check", recipe_file, "--set", "scorer={type='tta', shifts=[0.0, 0.005]}")
    assert answer.code == 2
    assert "scorer: a shift of 0.005 s is no multiple of frontend.hop_seconds, 0.01 s" in answer.err
    assert typed("check", recipe_file, "--set", "scorer={type='tta', shifts=[0.0, 0.03]}").code == 0
