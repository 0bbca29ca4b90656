"""What a component's verb gives in this process, as one hash, for others to compare with."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from wakekit.testing.checks import exercise_of
from wakekit.testing.elsewhere import Elsewhere
from wakekit.testing.same import digested
from wakekit.testing.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.registry import Registry

ALIKE = ("corpus", "splitter", "sampler")
"""Kinds that choose and order: what they take from a set or from `hash()` is another in every process."""


def answer(registry: Registry, kind: str, table: Mapping[str, Any]) -> str:
    """Return the hash of what the exercise gives for a component, or why it gives nothing."""
    options = {name: value for name, value in table.items() if name != "type"}
    with tempfile.TemporaryDirectory() as folder:
        try:
            entry = registry.find(kind, str(table["type"]))
            return answered(Subject(entry, registry, options, Path(folder), Elsewhere({}, (), 0.0)))
        except Exception as error:  # noqa: BLE001 - told by the process that asks
            return f"{type(error).__name__}: {error}"


def answered(subject: Subject) -> str:
    """Return the hash of what the exercise gives for a subject."""
    digest = hashlib.sha256()
    for part in digested(exercise_of(subject.kind)(subject, torch.device("cpu"))):
        digest.update(part)
    return digest.hexdigest()
