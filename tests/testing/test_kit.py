"""The conformance kit itself: it counts, takes declared failures strictly, and stays green for no empty run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
import torch

from tests.support import add_plugin
from tests.testing.support import tasks_on
from wakekit.errors import PluginError, WakekitError
from wakekit.kinds import KINDS
from wakekit.registry import Registry
from wakekit.testing import check_plugin
from wakekit.testing.checks import Check, NoDeviceError, SkipError, checks_of, exercise_of
from wakekit.testing.conformance import EXPECTED, FAILED, PASSED, SKIPPED, Conformance, Outcome, Task, prepare
from wakekit.testing.declared import Declared, read_declared
from wakekit.testing.minimum import MINIMUM
from wakekit.testing.same import assert_same, untouched
from wakekit.testing.tally import Tally

if TYPE_CHECKING:
    from wakekit.testing.subject import Subject

pytest_plugins = ["pytester"]

KEY = "calibrator:tried/made-up"
LISTING = """
from wakekit import Component, hookimpl

@hookimpl
def wakekit_components():
    yield Component("calibrator", "shifted", "acme_shifted:Shifted", version=1, summary="A fixed bias.")
"""
SHIFTED = """
import attrs
from torch import nn
from wakekit import option

@attrs.frozen
class Shifted:
    '''Add a fixed bias to the log-odds.'''

    monotone = True
    bias: float = option(0.0, at_least=-10, at_most=10, help="added to the log-odds")

    def build(self):
        return ShiftedModule(self.bias)

class ShiftedModule(nn.Module):
    def __init__(self, bias):
        super().__init__()
        self.bias = bias

    def forward(self, scores):
        return (scores + self.bias).sigmoid()
"""


@attrs.frozen
class Tried:
    """A calibrator."""

    def build(self) -> torch.nn.Module:
        """Return the module."""
        return torch.nn.Sigmoid()


def fine(_subject: Subject) -> None:
    """Pass."""


def wrong(_subject: Subject) -> None:
    """Fail."""
    raise AssertionError("expected 1, got 2")


def odd(_subject: Subject) -> None:
    """Fail in a way that says little."""
    raise KeyError("x")


def no_device(_subject: Subject) -> None:
    """Skip for want of a device."""
    raise NoDeviceError("there is no CUDA device")


def skipped(_subject: Subject) -> None:
    """Skip for another reason."""
    raise SkipError("the moon is up")


def carried_out(folder: Path, run: object, declared: Declared) -> Outcome:
    """Return what comes of a made-up check."""
    subject = tasks_on("calibrator", Tried, folder)[0].subject
    task = Task(subject, Check("made-up", (), run))  # type: ignore[arg-type]
    return Conformance((), Registry([]), declared, folder).outcome(task)


@pytest.mark.parametrize(
    ("run", "declared", "state", "words"),
    [
        (fine, Declared(), PASSED, ""),
        (wrong, Declared(), FAILED, "expected 1, got 2"),
        (odd, Declared(), FAILED, "KeyError: 'x' @ "),
        (no_device, Declared(), SKIPPED, "no CUDA device"),
        (skipped, Declared(), FAILED, "not declared in skips: the moon is up"),
        (wrong, Declared(fails={KEY: "as agreed"}), EXPECTED, "as agreed"),
        (fine, Declared(fails={KEY: "as agreed"}), FAILED, "expected to fail (as agreed), and passed"),
        (skipped, Declared(skips={KEY: "at night"}), SKIPPED, "at night"),
        (fine, Declared(skips={KEY: "at night"}), SKIPPED, "at night"),
    ],
)
def test_outcomes(tmp_path: Path, run: object, declared: Declared, state: str, words: str) -> None:
    """Failures that are expected are strict, skips are declared; only a missing device needs no word."""
    found = carried_out(tmp_path, run, declared)
    assert found.state == state
    assert words in found.reason


def test_too_few_checks_fail() -> None:
    """T44: checks that did not run make a run red, whoever left them out."""
    least = MINIMUM["calibrator"]
    ran = [Outcome("calibrator:a", f"check-{number}", PASSED) for number in range(least)]
    assert not Tally(("calibrator:a",), tuple(ran)).failures
    ran[0] = attrs.evolve(ran[0], state=SKIPPED, reason="left out")
    (line,) = Tally(("calibrator:a",), tuple(ran)).failures
    assert line == f"calibrator:a: {least - 1} checks ran, and a calibrator needs {least} at least"
    assert Tally(("calibrator:a",), ()).failures


@pytest.mark.parametrize("kind", KINDS)
def test_minimums_are_of_the_checks_that_there_are(kind: str) -> None:
    """Every kind has an exercise and checks of its own; its minimum leaves room for two declared skips."""
    assert callable(exercise_of(kind))
    always = [check for check in checks_of(kind) if check.when is None and check.name != "cuda-as-cpu"]
    assert [check for check in always if check.kinds == (kind,)]
    assert MINIMUM[kind] == len(always) - 2
    for check in checks_of(kind):
        assert check.help.endswith("."), check.name
    names = [check.name for check in checks_of(kind)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[tool.wakekit.conformance]\nexample = {}",
            "unknown option 'example' of conformance (did you mean 'examples'?)",
        ),
        ("[tool.wakekit.conformance.fails]\n'a:b/c' = ' '", "'a:b/c': expected a reason"),
        ("[tool.wakekit.conformance]\nfails = {'a:b/c' = 'x'}\nskips = {'a:b/c' = 'y'}", "both in fails and in skips"),
        ("[tool.wakekit.conformance.skips]\n'a:b/c' = 3", "expected text, got 3"),
        ("[tool", "pyproject.toml: "),
    ],
)
def test_what_is_declared_wrongly_is_said(tmp_path: Path, text: str, words: str) -> None:
    """A misspelt key in pyproject.toml is no silent default."""
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(WakekitError) as caught:
        read_declared(tmp_path / "pyproject.toml")
    assert words in str(caught.value)
    assert str(tmp_path / "pyproject.toml") in str(caught.value)


def test_other_tables_are_none_of_its_business(tmp_path: Path) -> None:
    """A project without the table, and none at all, declare nothing; paths are relative to the file."""
    assert read_declared(tmp_path / "pyproject.toml") == Declared()
    project = tmp_path / "pyproject.toml"
    project.write_text("[tool.wakekit.conformance.examples]\n'corpus:tones' = { path = 'data' }")
    path = read_declared(project).examples["corpus:tones"]["path"]
    assert path.folder == tmp_path


def acme(site: Path, source: str = SHIFTED) -> None:
    """Install a plugin with one calibrator."""
    add_plugin(site, "acme", LISTING, distribution="acme-wake", version="0.3")
    (site / "acme_shifted.py").write_text(source)


def test_one_line_in_a_test(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`check_plugin` takes the plugin's name or its distribution's, prints counts, and raises with every failure."""
    acme(site)
    tally = check_plugin("acme-wake")
    assert "calibrator:shifted  18 checks ran" in capsys.readouterr().out
    assert {one.state for one in tally.outcomes} <= {PASSED, SKIPPED}
    (site / "acme_shifted.py").write_text(SHIFTED.replace(".sigmoid()", ".sin().float()"))
    del __import__("sys").modules["acme_shifted"]
    with pytest.raises(AssertionError) as caught:
        check_plugin("acme", fails={"calibrator:shifted/monotone": "it is a wave"})
    lines = str(caught.value).splitlines()
    assert any(line.startswith("calibrator:shifted/gives-probabilities: expected float64") for line in lines)
    assert not any("monotone" in line for line in lines)


def test_who_is_not_there_is_said(site: Path) -> None:
    """A plugin that is missing, failed, or empty is an error, never a run without checks."""
    add_plugin(site, "acme", "raise RuntimeError('broken')")
    add_plugin(site, "bell", LISTING.replace("yield", "return ()\n    yield"))
    for name, words in (("nobody", "no plugin 'nobody' is installed"), ("acme", "broken"), ("bell", "no component")):
        with pytest.raises(PluginError, match=words):
            prepare([name], Declared(), Path())


def test_speaking_of_what_is_not_there_is_an_error(site: Path) -> None:
    """A misspelt check or component in what is declared is said."""
    acme(site)
    for declared in (
        Declared(fails={"calibrator:shifted/monotonous": "x"}),
        Declared(skips={"calibrator:shifte/monotone": "x"}),
        Declared(examples={"calibrator:shifte": {}}),
    ):
        with pytest.raises(WakekitError, match="there is no such component or check; components are calibrator:shift"):
            assert prepare(["acme"], declared, Path()).tasks


def test_what_a_project_declares_is_found_from_its_tests(site: Path, tmp_path: Path) -> None:
    """`check_plugin` reads the pyproject.toml above the file that calls it, wherever pytest was started."""
    acme(site)
    project = tmp_path / "project"
    (project / "tests").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[tool.wakekit.conformance.fails]\n'calibrator:shifted/frozen' = 'x'")
    test = project / "tests" / "test_it.py"
    test.write_text("from wakekit.testing import check_plugin\ncheck_plugin('acme')\n")
    with pytest.raises(AssertionError, match="frozen: expected to fail"):
        exec(compile(test.read_text(), test, "exec"), {})  # noqa: S102


def test_on_the_command_line(site: Path, pytester: pytest.Pytester) -> None:
    """`pytest --wakekit` runs each check as a test beside the project's own, and tells how many ran on what."""
    acme(site)
    pytester.makepyprojecttoml("[tool.wakekit.conformance.fails]\n'calibrator:shifted/frozen' = 'just to see'")
    pytester.makepyfile("def test_of_the_project(): pass")
    found = pytester.runpytest_inprocess("--wakekit", "acme-wake", "-p", "no:cacheprovider")
    found.assert_outcomes(passed=18, failed=1, skipped=0 if torch.cuda.is_available() else 1)
    found.stdout.fnmatch_lines(
        [
            "*expected to fail (just to see), and passed: take it out of fails",
            "*A component is parameters only, which nobody changes.*",
            "*wakekit conformance*",
            "calibrator:shifted  18 checks ran, 1 failed*",
        ]
    )
    found = pytester.runpytest_inprocess("--wakekit", "acme", "-k", "monotone", "-p", "no:cacheprovider")
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    found.stdout.fnmatch_lines(["*too few checks: calibrator:shifted: 1 checks ran, and a calibrator needs*"])
    found = pytester.runpytest_inprocess("--wakekit", "acme-woke", "-p", "no:cacheprovider")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*no plugin 'acme-woke' is installed*"])


def test_differences_are_told_with_their_place() -> None:
    """Equal is equal to the bit unless a tolerance is given, in tensors, arrays, numbers and what holds them."""
    value = {"a": [torch.tensor([1.0, float("nan")]), np.arange(3)], "b": (1, "x", None, 0.5)}
    assert_same(value, {"a": [torch.tensor([1.0, float("nan")]), np.arange(3)], "b": (1, "x", None, 0.5)})
    assert_same({"x": 1.0}, {"x": 1.0 + 1e-9}, tolerance=1e-6)
    for other, words in (
        ({"a": value["a"]}, r"result: expected the keys \['a', 'b'\]"),
        ({**value, "b": (1, "x", None, 0.6)}, r"result\.b\[3\]: 1 of 1 values differ"),
        ({**value, "b": (1, "y", None, 0.5)}, r"result\.b\[1\]: expected 'x', got 'y'"),
        ({**value, "a": [torch.tensor([1.0]), np.arange(3)]}, r"result\.a\[0\]: expected float32 \[2\]"),
        ({**value, "a": [value["a"][0], np.arange(3.0)]}, r"result\.a\[1\]: expected int64 \[3\], got float64"),
        ({**value, "a": value["a"][:1]}, r"result\.a: expected 2 items"),
    ):
        with pytest.raises(AssertionError, match=words):
            assert_same(other, value)


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: torch.rand(1), "torch"),
        (lambda: np.random.rand(), "numpy.random"),  # noqa: NPY002, PLW0108
        (lambda: __import__("random").random(), "random"),
    ],
)
def test_drawing_from_global_state_is_seen(draw: object, name: str) -> None:
    """Any of the three global generators."""
    assert callable(draw)
    with pytest.raises(AssertionError, match=f"global random state of {name}"), untouched("it"):
        draw()
