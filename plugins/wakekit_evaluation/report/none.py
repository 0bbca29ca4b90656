"""No report: the run's folder holds its files and no page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.run_folder import Run


@attrs.frozen
class NoReport:
    """Write nothing."""

    def write(self, run: Run, folder: Path) -> Path | None:  # noqa: ARG002
        """Return None, as there is nothing to open."""
        return None
