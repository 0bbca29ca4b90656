"""The mean of the weights of the last epochs, against torch's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from tests.plugins.training.test_trainer import Watch, task
from wakekit.history import History
from wakekit_training.checkpoint_averaging import CheckpointAveraging
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from wakekit import TrainingState


@pytest.mark.parametrize("last", [1, 3, 9])
def test_the_mean_is_torchs(last: int) -> None:
    """Weights and BatchNorm's statistics are AveragedModel's over the pass's last epochs; before, the live ones."""
    reference: list[AveragedModel] = []
    apart: list[bool] = []

    def see(state: TrainingState) -> None:
        pairs = zip(state.evaluated.state_dict().values(), state.model.state_dict().values(), strict=True)
        if state.pass_epoch == 0:
            reference.clear()
        apart.append(any(not torch.equal(kept, now) for kept, now in pairs))
        if state.pass_epoch >= 5 - last:
            reference[:] = reference or [AveragedModel(state.model, use_buffers=True)]
            reference[0].update_parameters(state.model)

    callbacks = {"mean": CheckpointAveraging(last=last), "see": Watch(see, "epoch_ended")}
    found = Standard(epochs=5, passes=2).fit(task(callbacks=callbacks)).weights
    for name, value in reference[0].module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(found[name], value, atol=1e-6, rtol=1e-6)
    averaged = min(last, 5)
    assert apart == 2 * ([False] * (6 - averaged) + [True] * (averaged - 1))


def test_a_pass_that_is_stopped_early_says_what_was_averaged() -> None:
    """Where a pass ends before its last epochs, the run says that fewer were averaged; otherwise nothing."""
    history = History()

    def stop(state: TrainingState) -> None:
        state.stop = state.pass_epoch == 1

    callbacks = {"mean": CheckpointAveraging(last=2), "stop": Watch(stop, "epoch_ended")}
    Standard(epochs=5).fit(task(history=history, callbacks=callbacks))
    (warning,) = [row["warning"] for row in history.rows if "warning" in row]
    assert "so that 0 of them are averaged" in warning
    history = History()
    Standard(epochs=2, passes=2).fit(task(history=history, callbacks={"mean": CheckpointAveraging(last=3)}))
    assert not [row for row in history.rows if "warning" in row]
