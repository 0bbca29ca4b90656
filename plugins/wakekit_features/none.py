"""The normalizer `none`: features as the frontend made them, which is what leaving a normalizer out means."""

from __future__ import annotations

from typing import ClassVar

import attrs
from torch import nn


@attrs.frozen
class Identity:
    """Leave features as they are."""

    scope: ClassVar[str] = "corpus"

    def build(self, n_features: int) -> nn.Module:  # noqa: ARG002
        """Return the identity."""
        return nn.Identity()
