"""Every first-party component passes the kit that strangers prove theirs with; none gets an exception."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conformance_examples import examples
from wakekit.kinds import KINDS, SLOTS
from wakekit.registry import installed
from wakekit.testing.conformance import Conformance, Outcome, prepare
from wakekit.testing.declared import Declared
from wakekit.testing.tally import Tally

PLUGINS = [plugin for plugin in installed().plugins if plugin.distribution == "wakekit"]
LABELS = [
    f"{one.kind}:{one.name}" for kind in KINDS for plugin in PLUGINS for one in plugin.components if one.kind == kind
]
# Starting clusters takes a minute.
SLOW = {"launcher:ray"}
OUTCOMES: list[Outcome] = []


@pytest.fixture(scope="module")
def conformance(tmp_path_factory: pytest.TempPathFactory) -> Conformance:
    """All checks over all first-party components."""
    declared = Declared(examples=examples(tmp_path_factory.mktemp("material")))
    return prepare([plugin.name for plugin in PLUGINS], declared, tmp_path_factory.mktemp("conformance"))


def test_every_kind_has_a_component() -> None:
    """T44: the checks below run over all kinds, and over as many components as there are."""
    assert {label.partition(":")[0] for label in LABELS} == set(KINDS)
    assert len(LABELS) == len(set(LABELS))
    assert len(LABELS) >= 66
    assert len(PLUGINS) >= 6


def test_neutral_components_exist_and_need_no_option() -> None:
    """What a recipe may leave out, some plugin provides, and it works without options."""
    registry = installed()
    for slot in SLOTS:
        if slot.neutral is not None:
            registry.find(slot.kind, slot.neutral).load()()


@pytest.mark.parametrize(
    "label", [pytest.param(label, marks=[pytest.mark.slow] if label in SLOW else []) for label in LABELS]
)
def test_a_component_conforms(conformance: Conformance, label: str) -> None:
    """Every check of its kind passes, and as many ran as its kind asks for."""
    outcomes = tuple(conformance.outcome(task) for task in conformance.tasks if task.subject.label == label)
    OUTCOMES.extend(outcomes)
    assert not Tally((label,), outcomes).failures


def test_no_check_was_left_out(request: pytest.FixtureRequest) -> None:
    """T44: every check that concerns a component ran on it, those for CUDA where there is no device apart."""
    name = test_a_component_conforms.__name__
    asked = [item for item in request.session.items if getattr(item, "originalname", "") == name]
    assert len({one.component for one in OUTCOMES}) == len(asked)
    left_out = [one for one in OUTCOMES if one.state == "skipped" and one.check != "cuda-as-cpu"]
    assert not left_out
    assert len(OUTCOMES) >= 16 * len(asked)


def test_fingerprints_of_a_recipe_do_not_depend_on_the_process() -> None:
    """T42: another process with another hash seed gives the same fingerprints of every stage."""
    script = (
        "import json, sys; from pathlib import Path\n"
        "from wakekit.fingerprint import Contents, stage_fingerprints; from wakekit.recipe import load_recipe\n"
        "from wakekit.registry import installed\n"
        "recipe = load_recipe('wakekit:quickstart', installed())\n"
        "print(json.dumps(stage_fingerprints(recipe, Contents(Path('/nonexistent/memory')))))\n"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    ]  # fmt: skip
    assert found[0] == found[1]
    assert len(set(json.loads(found[0]).values())) == 9
