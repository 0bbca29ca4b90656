"""The callback `gradient-norm`: norms of the gradients, in total and per layer, with clipping and a word on spikes.

Norms stay on the device until the epoch is over, so that no step waits for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from wakekit import Hooks, TrainingState, option
from wakekit_training.spikes import running_median, spikes_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.data import FloatArray

# Looking at a norm waits for the device, so look seldom there.
_LOOK_EVERY = 50
_POINTS_A_PASS, _POINTS_AN_EPOCH = 4000, 200
_TOTAL, _WINDOW = "total", 100


@attrs.frozen
class GradientNorm:
    """Record the Euclidean norm of all gradients of a step, before they are clipped, and of those of every layer.

    With `clip` the gradients are scaled down to that norm (Pascanu, Mikolov and Bengio, 2013). A norm that is not
    finite is reported at once and its gradients are left as they are: scaled by it, they would all be lost. Steps whose
    norm is above `spike` times the median of the 100 recorded before are named when the pass ends.
    """

    clip: float | None = option(None, above=0, help="norm to which larger gradients are scaled down")
    per_layer: bool = option(default=True, help="record the norm of every layer too, at 200 steps of an epoch at most")
    every: int = option(1, at_least=1, help="steps between two norms that are recorded; every step is clipped")
    spike: float = option(5.0, above=1, help="times the running median above which a norm is a spike")

    @property
    def observes(self) -> bool:
        """Whether training comes to the same without it."""
        return self.clip is None

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return _Norms(self)


class _Norms(Hooks):
    def __init__(self, options: GradientNorm) -> None:
        self.options = options
        self.layers = _Layers(nn.Module())
        self.steps, self.norms = list[int](), list[Tensor]()
        self.past = np.zeros(0)
        self.spikes: list[tuple[int, float, float]] = []
        self.told = False

    def pass_started(self, state: TrainingState) -> None:
        """Begin anew: the norms of another pass say nothing about those of this one."""
        self.layers = _Layers(state.model)
        self.steps, self.norms, self.past, self.spikes = [], [], np.zeros(0), []

    @torch.no_grad()
    def gradients_ready(self, state: TrainingState) -> None:
        """Measure the norms, then clip."""
        recorded = state.step % self.options.every == 0
        if not recorded and self.options.clip is None:
            return
        gradients = self.layers.gradients()
        present = [gradient for gradient in gradients if gradient is not None]
        if not present:
            return
        each = torch._foreach_norm(present)  # noqa: SLF001, as torch's own get_total_norm does
        total = torch.linalg.vector_norm(torch.stack(each))
        if recorded:
            self.steps.append(state.step)
            self.norms.append(self.layers.norms(total, each, gradients) if self.options.per_layer else total[None])
        if self.options.clip is not None:
            usable = torch.where(torch.isfinite(total), total, torch.zeros_like(total))
            nn.utils.clip_grads_with_norm_(state.model.parameters(), self.options.clip, usable)

    def step_ended(self, state: TrainingState) -> None:
        """Say once when a norm is not finite: the loss that follows it ends the training before the epoch does."""
        many = _LOOK_EVERY if self.layers.device.type == "cuda" else 1
        if self.told or not self.norms or (state.step + 1) % many:
            return
        recent = torch.stack(self.norms[-many:])
        bad = torch.nonzero(~torch.isfinite(recent[:, 0]))
        if not len(bad):
            return
        first, self.told = int(bad[0, 0]), True
        step, finite = self.steps[first - len(recent)], torch.isfinite(recent[first, 1:]).tolist()
        where = ", ".join(name for name, good in zip(self.layers.names, finite, strict=False) if not good)
        state.warn(
            f"gradient-norm: gradients are not finite at step {step}{f' in {where}' if where else ''}; "
            "lower the learning rate"
        )

    def epoch_ended(self, state: TrainingState) -> None:
        """Record the epoch's norms and look for spikes."""
        if not self.norms:
            return
        steps, norms = np.array(self.steps), torch.stack(self.norms).double().cpu().numpy()
        self.steps, self.norms = [], []
        points = min(_POINTS_AN_EPOCH, max(1, _POINTS_A_PASS // state.epochs))
        lines = [_TOTAL, *self.layers.names] if self.options.per_layer else [_TOTAL]
        for line, column in zip(lines, norms.T, strict=True):
            thin = 1 if line == _TOTAL else -(-len(steps) // points)
            state.record(_row(line, steps[::thin], column[::thin]))
        self._find_spikes(steps, norms[:, 0])

    def pass_ended(self, state: TrainingState) -> None:
        """Name the spikes of the pass."""
        if self.spikes:
            state.warn(spikes_sentence(self.spikes))

    def _find_spikes(self, steps: FloatArray, norms: FloatArray) -> None:
        finite = np.isfinite(norms)
        steps, norms = steps[finite], norms[finite]
        medians = running_median(np.concatenate([self.past, norms]), _WINDOW)[len(self.past) :]
        self.past = np.concatenate([self.past, norms])[-_WINDOW:]
        # Nothing can be told of a leap from gradients that were all zero.
        high = (norms > self.options.spike * medians) & (medians > 0)
        self.spikes += zip(steps[high].tolist(), norms[high].tolist(), medians[high].tolist(), strict=True)

    def state_dict(self) -> Mapping[str, Any]:
        """Return what has not been recorded yet, and the norms to which the next are compared."""
        norms = torch.stack(self.norms) if self.norms else torch.zeros(0)
        past = torch.from_numpy(self.past)
        return {"steps": self.steps, "norms": norms, "past": past, "spikes": self.spikes, "told": self.told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.steps, self.norms = list(state["steps"]), list(state["norms"].to(self.layers.device))
        self.past, self.spikes, self.told = state["past"].cpu().numpy(), list(state["spikes"]), state["told"]


class _Layers:
    """The parameters of a model by the module they belong to."""

    def __init__(self, model: nn.Module) -> None:
        named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
        owners = [name.rpartition(".")[0] or name for name, _ in named]
        self.parameters = [parameter for _, parameter in named]
        self.names = list(dict.fromkeys(owners))
        place = {name: number for number, name in enumerate(self.names)}
        self.device = self.parameters[0].device if self.parameters else torch.device("cpu")
        self.owner = torch.tensor([place[owner] for owner in owners], dtype=torch.int64, device=self.device)

    def gradients(self) -> list[Tensor | None]:
        """Return the gradients of now, None where a parameter has none."""
        return [parameter.grad for parameter in self.parameters]

    def norms(self, total: Tensor, each: tuple[Tensor, ...], gradients: list[Tensor | None]) -> Tensor:
        """Return the total and the norm of each layer [1 + L]; a layer without gradients has 0."""
        norms, none = iter(each), torch.zeros_like(total)
        squares = torch.stack([none if gradient is None else next(norms) for gradient in gradients]).square()
        layers = squares.new_zeros(len(self.names)).index_add_(0, self.owner, squares)
        return torch.cat([total[None], layers.sqrt()])


def _row(line: str, steps: FloatArray, norms: FloatArray) -> dict[str, Any]:
    values = [float(f"{value:.6g}") if np.isfinite(value) else None for value in norms.tolist()]
    return {"series": "gradient norm", "line": line, "x": steps.tolist(), "y": values, "x_label": "step"}
