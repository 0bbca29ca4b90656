"""The `right` metric."""

from collections.abc import Sequence

import attrs

from wakekit import Measure, Results, WakekitError


@attrs.frozen
class Right:
    """Share of a split's clips that are accepted or refused as they should be, at the operating point."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return the share."""
        right = results.accepted() == (results.clips.labels == 1)
        if not right.size:
            raise WakekitError("expected clips, got none")
        counts = {"clips": float(right.size), "right": float(right.sum())}
        share = counts["right"] / counts["clips"]
        return [Measure(name="right", value=share, unit="", counts=counts, note="no interval")]
