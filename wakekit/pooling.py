"""The keyword's log-odds, and the frame that speaks for a window where a model gives a score per frame."""

from __future__ import annotations

import torch
from torch import Tensor

KEYWORD = 1


def log_odds(logits: Tensor) -> Tensor:
    """Return the keyword's log-odds against every other class, float32 [B] or [B, T], of logits [B, C] or [B, C, T]."""
    values = logits.float()
    rest = torch.cat([values[:, :KEYWORD], values[:, KEYWORD + 1 :]], dim=1)
    odds: Tensor = values[:, KEYWORD] - rest.logsumexp(dim=1)
    return odds


def best_frame(logits: Tensor) -> Tensor:
    """Return the logits [B, C] at the frame where the keyword's log-odds are highest; logits [B, C] as they are."""
    if logits.dim() == 2:  # noqa: PLR2004
        return logits
    frame = log_odds(logits.detach()).argmax(dim=1)
    chosen = frame[:, None, None].expand(-1, logits.shape[1], 1)
    return logits.gather(2, chosen).squeeze(2)
