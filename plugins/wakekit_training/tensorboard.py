"""The callback `tensorboard`: learning rates and the numbers of every epoch as event files for TensorBoard."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from wakekit import Hooks, TrainingState, WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.utils.tensorboard import SummaryWriter


@attrs.frozen
class TensorBoard:
    """Write scalars to `training/tensorboard` in the run's folder, by step: `tensorboard --logdir RUNS` shows them.

    A training that goes on from a checkpoint drops what had been written beyond it.
    """

    observes: ClassVar[bool] = True

    rate_every: int = option(10, at_least=1, help="steps between two learning rates")

    def build(self) -> Hooks:
        """Return the hooks of one training; raises WakekitError where TensorBoard is not installed."""
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415
        except ImportError as error:
            raise WakekitError(
                "callback tensorboard: the package tensorboard is not installed; pip install 'wakekit[tensorboard]'"
            ) from error
        return _Writing(self, SummaryWriter)


class _Writing(Hooks):
    def __init__(self, options: TensorBoard, writer_class: type[SummaryWriter]) -> None:
        self.options, self.writer_class = options, writer_class
        self.writer: SummaryWriter

    def fit_started(self, state: TrainingState) -> None:
        """Open an event file; events from this step on in files of before are void."""
        self.writer = self.writer_class(str(state.folder / "tensorboard"), purge_step=state.step or None)

    def gradients_ready(self, state: TrainingState) -> None:
        """Write the learning rate of every group, as this step will use it."""
        if state.step % self.options.rate_every:
            return
        for number, group in enumerate(state.optimizer.param_groups):
            self.writer.add_scalar(f"learning_rate/group_{number}", float(group["lr"]), state.step)

    def validated(self, state: TrainingState, row: Mapping[str, float]) -> None:
        """Write the epoch's numbers at the number of steps so far.

        A checkpoint of that step is one from before the validation, which comes again; later ones do not drop them.
        """
        for name, value in row.items():
            if isinstance(value, (int, float)) and math.isfinite(value):
                self.writer.add_scalar(f"epoch/{name}", value, state.step)
        self.writer.flush()

    def state_dict(self) -> Mapping[str, Any]:
        """Remember nothing, but let nothing that came before a checkpoint wait in memory."""
        self.writer.flush()
        return {}

    def fit_ended(self, state: TrainingState) -> None:
        """Close the event file."""
        del state
        self.writer.close()
