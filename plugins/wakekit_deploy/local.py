"""Variants in worker processes on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit import option
from wakekit_deploy.gpus import check_share, dealt, room, visible_gpus
from wakekit_deploy.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.launching import Job, Watch


@attrs.frozen
class Local:
    """Worker processes on this machine, each doing one job after another.

    Where there are several workers and several GPUs, each worker sees its own; more workers than fit share them. How
    many threads a job uses is the recipe's business.
    """

    workers: int = option(
        1, at_least=0, help="jobs at once, unless the command line says; 0: as many as fit on the GPUs, or 1"
    )
    gpus_per_job: float = option(1.0, above=0, help="GPUs that a worker sees; below 1, several workers share one")

    def __attrs_post_init__(self) -> None:
        """Refuse a number of GPUs that cannot be dealt out."""
        check_share("gpus_per_job", self.gpus_per_job)

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Carry out the jobs; when this returns or raises, none of its processes is left."""
        if not jobs:
            return
        count = self.workers if workers is None else workers
        gpus = [] if count == 1 else visible_gpus()
        environments = dealt(gpus, count or room(len(gpus), self.gpus_per_job), self.gpus_per_job)
        Pool(jobs, watch).run(environments)
