"""What samplers share that visit rows in one long order: cutting it into batches."""

from __future__ import annotations

import torch
from torch import Tensor


def whole_batches(rows: Tensor, size: int) -> list[Tensor]:
    """Return the rows [N], N above 0, in batches of `size`; the last may be smaller, or one row larger."""
    batches = list(rows.split(size))
    # BatchNorm cannot take a batch of one: the last row joins the batch before.
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
