"""The `mixup` augmentation: every row blended with another row of the batch, and its target likewise.

After Zhang et al., mixup (2018). It blends features, not waveforms: a keyword under other speech at half its amplitude
is still the keyword and should be heard as such, where a target of a half would teach otherwise; and of two waveforms
the louder decides, whatever the weight. In normalized features the weight means the same to both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import torch
from scipy.special import betaincinv
from torch import Tensor

from wakekit import Batch, Draws, Sources, WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Mixup:
    """Blend each row with weight λ and a partner with 1 - λ, λ drawn for every row from Beta(alpha, alpha).

    Partners are a permutation of the batch: every row is a partner once, some their own. Targets are blended with the
    same weights; `lengths` becomes that of the longer of the two.
    """

    domain: ClassVar[str] = "features"
    alpha: float = option(
        0.2,
        above=0,
        at_most=100,
        help="both parameters of the Beta distribution; small ones leave most rows almost as they were",
    )
    probability: float = option(1.0, at_least=0, at_most=1, help="share of rows that are blended")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the augmentation; it needs no sources."""
        return self._apply

    def _apply(self, batch: Batch) -> Batch:
        if batch.features is None:
            raise WakekitError("mixup blends features: expected a batch that the frontend has seen")
        chosen = batch.draws.chance(self.probability)
        weight = torch.where(chosen, beta(batch.draws, self.alpha), 1.0)
        partner = batch.draws.permutation()
        longer = torch.maximum(batch.lengths, batch.draws.taken(batch.lengths, partner))
        return attrs.evolve(
            batch,
            features=_blended(batch.features, batch.draws.taken(batch.features, partner), weight),
            targets=_blended(batch.targets, batch.draws.taken(batch.targets, partner), weight),
            lengths=torch.where(chosen, longer, batch.lengths),
        )


def beta(draws: Draws, alpha: float) -> Tensor:
    """Return float64 [B] from Beta(alpha, alpha), by inverting its distribution function at a uniform number."""
    uniform = draws.own(torch.rand(draws.rows, generator=draws.generator, dtype=torch.float64))
    return torch.from_numpy(betaincinv(alpha, alpha, uniform.numpy())).to(draws.device, non_blocking=True)


def _blended(values: Tensor, partners: Tensor, weight: Tensor) -> Tensor:
    mixed: Tensor = torch.lerp(partners, values, weight.view(-1, *[1] * (values.ndim - 1)).to(values.dtype))
    return mixed
