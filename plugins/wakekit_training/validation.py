"""How a model does on dev: its loss, accuracy and equal error rate, as a callback may go by them.

All three are two-sided: a model that never fires, or always, does badly by each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from wakekit.curves import ranked
from wakekit.distributed import added_up, agreed, world
from wakekit.pooling import KEYWORD, best_frame, log_odds

if TYPE_CHECKING:
    from wakekit.training import TrainTask

_BATCH = 256
_MIDDLE = 0.5


@torch.no_grad()
def validated(task: TrainTask, model: nn.Module) -> dict[str, float]:
    """Return `dev_loss` (cross-entropy), `dev_accuracy` and `dev_eer` of a model, which is left in inference."""
    model.eval()
    logits, labels = _all_logits(task, model), task.dev.labels.to(task.device)
    loss = nn.functional.cross_entropy(logits, labels, reduction="sum") / len(labels)
    right = (logits.argmax(dim=1) == labels).float().mean()
    numbers = {"dev_loss": float(loss), "dev_accuracy": float(right)}
    numbers |= {"dev_eer": _eer(logits, labels)} if np.isfinite(numbers["dev_loss"]) else {}
    return agreed(numbers)


def _all_logits(task: TrainTask, model: nn.Module) -> Tensor:
    """Return logits [R, C] of all rows of dev; where several processes train together, each finds its share of them."""
    parts, here = torch.arange(len(task.dev)).split(_BATCH), world()
    if here.size == 1:
        return torch.cat([_logits(task, model, rows) for rows in parts])
    whole = torch.zeros(len(task.dev), task.n_classes, device=task.device)
    for rows in parts[here.rank :: here.size]:
        whole[rows.to(task.device)] = _logits(task, model, rows)
    return added_up(whole)


def _logits(task: TrainTask, model: nn.Module, rows: Tensor) -> Tensor:
    audio, _ = task.dev.crop(rows, torch.full((len(rows),), _MIDDLE))
    return best_frame(model(task.features(audio.to(task.device))).float())


def _eer(logits: Tensor, labels: Tensor) -> float:
    scores = log_odds(logits).double().cpu().numpy()
    return float(ranked(scores, (labels == KEYWORD).long().cpu().numpy()).eer()[0])
