"""The splitter `given`: keeps the splits that the corpus came with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit import WakekitError
from wakekit.data import SPLITS

if TYPE_CHECKING:
    from wakekit import Manifest

_SHOWN = 3


@attrs.frozen
class Given:
    """Use the split that each row of the corpus states."""

    def split(self, manifest: Manifest) -> Manifest:
        """Return the manifest as it is; raises WakekitError where a row has no split, or one that does not exist."""
        lost = [row for row in manifest.rows() if row.split not in SPLITS]
        if lost:
            shown = ", ".join(f"{row.audio} ({row.split or 'none'!r})" for row in lost[:_SHOWN])
            more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
            raise WakekitError(
                f"expected a split ({', '.join(SPLITS)}) for every clip, stream and impulse response, got {shown}{more}"
                "; state them in the manifest, or use the splitter 'by-speaker'"
            )
        return manifest
