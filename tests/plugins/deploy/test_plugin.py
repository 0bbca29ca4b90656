"""The plugin of launchers: what it lists, and what listing and use cost."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.launched import Kept, job
from wakekit.kinds import SLOTS
from wakekit.registry import installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed


def test_launchers_are_listed_and_local_is_what_a_recipe_means_that_names_none() -> None:
    """Both are components of the kind launcher, whose slot is neutral to results."""
    registry = installed()
    assert {entry.component.name for entry in registry.entries("launcher")} >= {"local", "ray"}
    (slot,) = (slot for slot in SLOTS if slot.kind == "launcher")
    assert slot.neutral == "local"


def test_options_are_described(typed: Typed) -> None:
    """Each with its default, bounds and unit."""
    answer = typed("components", "launcher", "ray")
    assert answer.code == 0
    assert all(name in answer.out for name in ("address", "cpus_per_job", "gpus_per_job", "memory_per_job", "retries"))


@pytest.mark.parametrize("module", ["local", "ray_cluster", "worker"])
def test_a_launcher_is_loaded_without_what_it_may_not_need(module: str) -> None:
    """Neither torch nor ray comes in before it is used; a worker starts light."""
    code = f"import sys, wakekit_deploy.{module}; print([m for m in ('torch', 'ray', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_strangers_launcher_needs_three_functions_of_the_core(tmp_path: Path) -> None:
    """Jobs go out as text, answers come back as text: doing it in this process gives what local workers give."""
    from wakekit.launching import packed, unpacked, work  # noqa: PLC0415
    from wakekit_deploy.local import Local  # noqa: PLC0415

    jobs = [job("a", "square", number=1.5), job("b", "fail", error="file"), job("c", "square", out=str(tmp_path / "d"))]
    watch = Kept()
    Local().launch(jobs, watch, workers=None)
    assert watch.ends == {job.name: unpacked(work(packed(job))) for job in jobs}
