"""The plugin lists what it offers, each component has the verb of its kind, and plain scoring adds nothing."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import torch

import wakekit_evaluation
from wakekit.kinds import SLOTS
from wakekit_evaluation.plain import Plain


def test_every_listed_component_can_be_built_with_its_defaults() -> None:
    """Targets resolve, defaults are valid, and the class has what the kind's contract asks for."""
    contracts = {slot.kind: slot.contract for slot in SLOTS}
    listed = list(wakekit_evaluation.wakekit_components())
    assert len(listed) == 23
    for spec in listed:
        module, name = spec.target.split(":")
        component = getattr(import_module(module), name)()
        verbs = [verb for verb in vars(contracts[spec.kind]) if not verb.startswith("_")]
        assert all(hasattr(component, verb) for verb in verbs)
        assert spec.summary


def test_listing_imports_nothing_heavy() -> None:
    """T45: naming the components imports neither torch nor numpy nor numba."""
    code = (
        "import sys, wakekit_evaluation; list(wakekit_evaluation.wakekit_components()); "
        "print([m for m in ('torch', 'numpy', 'numba', 'sklearn', 'scipy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_plain_scores_are_those_of_the_network() -> None:
    """T13: what is scored offline is what the network gives window by window, at the hop asked for."""

    class Network:
        def score_windows(self, audio: torch.Tensor, hop: int) -> torch.Tensor:
            return audio[:, ::hop]

    audio = torch.arange(12.0).reshape(2, 6)
    assert torch.equal(Plain().score(Network(), audio, 2), audio[:, ::2])
