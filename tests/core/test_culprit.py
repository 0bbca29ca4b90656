"""Who is named for what nobody expected in a stage: the component, its plugin and the line; never wakekit's own."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from wakekit import Component
from wakekit.building import Chosen
from wakekit.culprit import accusing
from wakekit.errors import PluginError, WakekitError, system_said
from wakekit.plugins import Plugin
from wakekit.registry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable


def chosen(kind: str, name: str, target: str, distribution: str = "acme-wake") -> Chosen:
    """Return a component as a recipe chose it."""
    plugin = Plugin(distribution, target.partition(".")[0], distribution, "0.3", "ok")
    return Chosen(Entry(Component(kind, name, target), plugin), None)


RECIPE: Any = SimpleNamespace(
    single={
        "normalizer": chosen("normalizer", "rasta", "acme_wake.rasta:Rasta"),
        "model": chosen("model", "large", "acme_wake.nets:Large"),
        "loss": chosen("loss", "hinge", "acme_wake.nets:Hinge"),
        "train": chosen("trainer", "standard", "wakekit_training.standard:Standard", "wakekit"),
    },
    many={"callbacks": {"mine": chosen("callback", "spy", "spy_wake:Spy", "spy-wake")}},
)


def of(module: str, within: Callable[[], object] | None = None, body: str = "") -> Callable[[], object]:
    """Return a function of a module, which calls what is `within` it, or divides by zero."""
    scope: dict[str, Any] = {"__name__": module, "within": within or (lambda: 1 / 0)}
    exec(body or "def call():\n    return within()", scope)  # noqa: S102
    call: Callable[[], object] = scope["call"]
    return call


METHOD = "class Hinge:\n    def go(self): return within()\ncall = Hinge().go"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (of("acme_wake.rasta"), r"normalizer 'rasta' of plugin acme-wake \(acme-wake 0\.3\)"),
        (of("wakekit_training.loop", of("acme_wake.rasta")), "normalizer 'rasta' of plugin acme-wake"),
        # What broke after a stranger's answer is the stranger's.
        (of("spy_wake", of("wakekit_training.standard")), "callback 'spy' of plugin spy-wake"),
        (of("spy_wake", of("acme_wake.rasta")), "normalizer 'rasta' of plugin acme-wake"),
        (of("acme_wake.helper"), r"plugin acme-wake \(acme-wake 0\.3\)"),
        (of("acme_wake.nets"), "model 'large' or loss 'hinge' of plugin acme-wake"),
        (of("acme_wake.nets", body=METHOD), "loss 'hinge' of"),
        (of("wakekit_training.loop"), r"plugin wakekit-training \(|plugin wakekit \(wakekit 0\.3\)"),
    ],
)  # fmt: skip
def test_the_innermost_component_is_named(call: Callable[[], object], name: str) -> None:
    """Its kind, name, plugin and version; a stranger's before wakekit's own, and the plugin where nothing is nearer."""
    told = rf"^({name}).* failed: ZeroDivisionError: division by zero @ .*:\d+$"
    with pytest.raises(PluginError, match=told), accusing(RECIPE):
        call()


def test_what_no_component_had_a_part_in_passes() -> None:
    """A mistake of the core keeps its traceback; what is told to the user already stays as it is."""
    with pytest.raises(ZeroDivisionError), accusing(RECIPE):
        of("wakekit.pipeline")()
    for error in (WakekitError("no data"), OSError("disk full"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, accusing(RECIPE):
            of("acme_wake.rasta", raising(error))()
        assert caught.value is error


def raising(error: BaseException) -> Callable[[], object]:
    """Return what raises an error."""

    def call() -> object:
        raise error

    return call


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit("licence"), BrokenPipeError(32, "Broken pipe")])
def test_a_component_cannot_end_the_command_without_a_word(error: BaseException) -> None:
    """Leaving with code 0, or as if the reader of a pipe had gone, would look like a run that went well."""
    told = f"normalizer 'rasta' of plugin .* failed: {type(error).__name__}"
    with pytest.raises(PluginError, match=told), accusing(RECIPE):
        of("acme_wake.rasta", raising(error))()


@pytest.mark.parametrize("ends", [lambda: None, lambda: 1 / 0, raising(OSError(2, "No such file", "runs/a"))])
def test_who_leaves_the_process_in_another_folder_is_refused(
    ends: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths of the run would mean something else; the folder is as before, and the strangers are named."""
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "there"
    there.mkdir()
    told = rf"directory was changed to {there}, .* plugin acme-wake \(acme-wake 0\.3\) and plugin spy-wake"

    def leave() -> None:
        os.chdir(there)
        ends()

    with pytest.raises(PluginError, match=told), accusing(RECIPE):
        leave()
    assert Path.cwd() == tmp_path


def test_a_strangers_own_question_to_the_system_is_noted() -> None:
    """What the system refused stays as it is, with who asked; a question of wakekit's own names nobody."""
    error = OSError(2, "No such file or directory", "own.bin")
    with pytest.raises(OSError, match="No such file") as caught, accusing(RECIPE):
        of("wakekit.judge_stage", of("acme_wake.rasta", raising(error)))()
    said = r"own\.bin: No such file or directory; asked for by normalizer 'rasta' of plugin acme-wake \(.*\) @ \S+:\d+"
    assert re.fullmatch(said, system_said(caught.value))
    for module in ("wakekit.artifacts", "wakekit_training.loop"):
        full = OSError(28, "No space left on device", "runs/history.jsonl")
        with pytest.raises(OSError, match="No space") as caught, accusing(RECIPE):
            of("acme_wake.rasta", of(module, raising(full)))()
        assert system_said(caught.value) == "runs/history.jsonl: No space left on device"
