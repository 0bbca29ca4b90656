"""The conformance kit itself: it counts, takes declared failures strictly, and stays green for no empty run."""

from __future__ import annotations

import hashlib
import os
import signal
import time
import warnings
from contextlib import suppress
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
from wakekit.testing.declared import Declared, declared_for, read_declared
from wakekit.testing.elsewhere import Elsewhere
from wakekit.testing.minimum import MINIMUM
from wakekit.testing.same import assert_same, digested, untouched
from wakekit.testing.surroundings import kept, settings
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


def endless(_subject: Subject) -> None:
    """Never end, whatever is raised in it."""
    while True:
        with suppress(Exception):
            time.sleep(60)


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
        (endless, Declared(seconds=0.2), FAILED, "did not come to an end within 0.2 s"),
    ],
)
def test_outcomes(tmp_path: Path, run: object, declared: Declared, state: str, words: str) -> None:
    """Failures that are expected are strict, skips are declared; only a missing device needs no word."""
    found = carried_out(tmp_path, run, declared)
    assert found.state == state
    assert words in found.reason


@pytest.mark.parametrize("running", [0, 3600, 20])
def test_a_timer_runs_on(tmp_path: Path, running: float) -> None:
    """What a check may take is limited by a timer, and the one that was running before is in charge again."""
    outer, _ = signal.getitimer(signal.ITIMER_REAL)
    before = signal.getsignal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, running)
    try:
        assert carried_out(tmp_path, fine, Declared(seconds=60)).state == PASSED
        assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(running, abs=10)
        assert signal.getsignal(signal.SIGALRM) is before
    finally:
        signal.setitimer(signal.ITIMER_REAL, outer)


def test_other_processes_may_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that hangs where another process imports it is told of, and does not hang the kit."""
    (tmp_path / "hanging_plugin.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AssertionError, match=r"another process did not come to an end within 0\.5 s"):
        _ = Elsewhere({}, ("hanging_plugin",), 0.5).imports


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
    assert "calibrator:shifted  19 checks ran" in capsys.readouterr().out
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
    """`pytest --wakekit` runs each check as a test, and tells how many ran on what."""
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
            "calibrator:shifted  19 checks ran, 1 failed*",
        ]
    )
    found = pytester.runpytest_inprocess("--wakekit", "acme", "-k", "monotone", "-p", "no:cacheprovider")
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    found.stdout.fnmatch_lines(["*too few checks: calibrator:shifted: 1 check ran, and a calibrator needs*"])
    found = pytester.runpytest_inprocess("--wakekit", "acme-woke", "-p", "no:cacheprovider")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*no plugin 'acme-woke' is installed*"])


def test_the_projects_own_tests_run_where_they_are_named(site: Path, pytester: pytest.Pytester) -> None:
    """Without files or folders on the command line the checks run alone, whatever lies around."""
    acme(site)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\ntestpaths = ['.']")
    pytester.makepyfile("raise RuntimeError('not to be collected')")
    own = pytester.makepyfile(test_own="def test_of_the_project(): pass")
    asked = ("--wakekit", "acme", "-k", "frozen or of_the_project", "-p", "no:cacheprovider")
    found = pytester.runpytest_inprocess(*asked)
    found.assert_outcomes(passed=1, deselected=19)
    found.stdout.fnmatch_lines(["collected 20 items / 19 deselected / 1 selected"])
    pytester.runpytest_inprocess(*asked, own).assert_outcomes(passed=2, deselected=19)


def test_what_a_checkout_declares_is_found_from_anywhere(site: Path, tmp_path: Path) -> None:
    """Where a plugin is installed from its project, that is asked; for a copy the folder that pytest runs in is."""
    acme(site)
    (tmp_path / "pyproject.toml").write_text("[tool.wakekit.conformance.skips]\n'calibrator:shifted/frozen' = 'here'")
    assert declared_for(["acme"], tmp_path).skips == {"calibrator:shifted/frozen": "here"}
    (site / "pyproject.toml").write_text("[tool.wakekit.conformance.skips]\n'calibrator:shifted/frozen' = 'there'")
    assert declared_for(["acme-wake"], tmp_path).skips == {"calibrator:shifted/frozen": "there"}
    assert declared_for(["nobody"], tmp_path) == Declared()


def test_a_project_may_prove_one_of_its_plugins(site: Path, tmp_path: Path) -> None:
    """What is declared of a component that another plugin offers is no mistake."""
    acme(site)
    declared = Declared(examples={"normalizer:cmvn": {}}, skips={"normalizer:cmvn/frozen": "not asked for"})
    assert prepare(["acme"], declared, tmp_path).tasks


def test_one_reason_is_told_once() -> None:
    """A component that cannot be built fails many checks for one reason, which stands in one line with all of them."""
    outcomes = [Outcome("calibrator:a", name, FAILED, "cannot be built") for name in ("frozen", "pickles")]
    told = Tally(("calibrator:a",), (*outcomes, Outcome("calibrator:a", "spec", PASSED))).text().splitlines()
    assert told == ["calibrator:a  3 checks ran, 2 failed", "  frozen, pickles: failed: cannot be built"]


def test_reasons_are_of_bearable_length(tmp_path: Path) -> None:
    """A check that prints a tensor of thousands does not flood the terminal."""

    def verbose(_subject: Subject) -> None:
        raise AssertionError("0.0, " * 10000)

    assert len(carried_out(tmp_path, verbose, Declared()).reason) < 700


def test_a_listing_of_the_checks_is_no_failure(site: Path, pytester: pytest.Pytester) -> None:
    """`--collect-only` lists the checks by component and complains of none that did not run."""
    acme(site)
    found = pytester.runpytest_inprocess("--wakekit", "acme", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert found.ret == pytest.ExitCode.OK
    found.stdout.fnmatch_lines(["wakekit-conformance::calibrator:shifted::monotone"])
    found.stdout.no_fnmatch_line("*too few checks*")


@pytest.mark.parametrize("broken", ["raise RuntimeError('no luck')", "raise SystemExit(0)"])
def test_a_component_that_cannot_be_imported_fails(site: Path, pytester: pytest.Pytester, broken: str) -> None:
    """A module that fails, be it by ending the program, is a failure of each check that says why, not of pytest."""
    acme(site, broken)
    found = pytester.runpytest_inprocess("--wakekit", "acme", "-p", "no:cacheprovider")
    assert found.ret == pytest.ExitCode.TESTS_FAILED
    found.stdout.fnmatch_lines(["*calibrator 'shifted' of plugin acme (acme-wake 0.3) cannot be imported: *"])
    assert "INTERNALERROR" not in found.stdout.str()


def test_other_projects_notice_nothing(pytester: pytest.Pytester) -> None:
    """Where wakekit is installed and not asked for, pytest imports nothing heavy, and a project may import it early."""
    pytester.makeconftest("import wakekit\nfrom wakekit.testing import check_plugin\n")
    pytester.makepyfile(
        "import sys\n"
        "def test_light():\n"
        "    heavy = {'torch', 'numpy', 'attrs', 'cattrs', 'scipy'} & set(sys.modules)\n"
        "    assert not heavy and 'wakekit.pytest_plugin' in sys.modules\n"
    )
    found = pytester.runpytest_subprocess(
        "-W", "error", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-p", "no:xdist"
    )
    found.assert_outcomes(passed=1)


@attrs.frozen
class Loud:
    """Changes what all of the process shares."""

    def build(self) -> torch.nn.Module:
        """Set the default dtype, seed, and go elsewhere."""
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        os.chdir("/")
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        return torch.nn.Sigmoid()


def _change_settings() -> None:
    torch.set_default_dtype(torch.float64)
    np.seterr(all="ignore")


def test_settings_of_the_process_are_watched_and_put_back(tmp_path: Path) -> None:
    """What a component changes for all of a process is said, and spoils no other check, nor the caller's tests."""
    before, filters = (torch.get_rng_state(), settings()), list(warnings.filters)
    tasks = {task.check.name: task for task in tasks_on("calibrator", Loud, tmp_path)}
    carried = Conformance((), Registry([]), Declared(), tmp_path)
    assert "random state of torch" in carried.outcome(tasks["global-state-untouched"]).reason
    carried.outcome(tasks["gives-probabilities"])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert settings() == before[1]
    assert warnings.filters == filters
    changed = "it changes torch's default dtype and NumPy's handling of errors"
    with pytest.raises(AssertionError, match=changed), kept(), untouched("it"):
        _change_settings()
    assert settings() == before[1]


def test_a_plugin_may_talk(site: Path) -> None:
    """What a plugin prints while it is imported, and when the process ends, is not taken for an answer."""
    acme(site, SHIFTED + "\nimport atexit\nprint('hello', end='')\natexit.register(print, 'goodbye')\n")
    elsewhere = prepare(["acme"], Declared(), Path()).tasks[0].subject.elsewhere
    assert [set(one) for one in elsewhere.fingerprints] == [{"calibrator:shifted"}] * 2


ORDERED = """
import attrs, os, torch
from wakekit import option

HERE = os.environ.get("PYTHONHASHSEED") is None

@attrs.frozen
class Shifted:
    '''Every row once, in the order of names.'''

    batch_size: int = option(4, at_least=1, help="rows of a batch", unit="rows")

    def batches(self, pools, generator):
        names = {str(row) for rows in pools.values() for row in rows.tolist()}
        return list(torch.tensor([int(name) for name in ORDER]).split(self.batch_size))
"""


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ("sorted(names)", ""),
        ("list(names)", "another process, with another hash seed, gets another answer"),
        ("(sorted(names) if HERE else 1 / 0)", "gets ZeroDivisionError: division by zero"),
    ],
)
def test_what_hangs_on_the_process_is_seen(site: Path, monkeypatch: pytest.MonkeyPatch, order: str, told: str) -> None:
    """A process keeps one hash seed for all its life: another one orders a set of names otherwise."""
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    add_plugin(site, "acme", LISTING.replace('"calibrator"', '"sampler"'), distribution="acme-wake", version="0.3")
    (site / "acme_shifted.py").write_text(ORDERED.replace("ORDER", order))
    conformance = prepare(["acme"], Declared(), site)
    task = next(task for task in conformance.tasks if task.check.name == "same-in-every-process")
    outcome = conformance.outcome(task)
    assert outcome.state == (FAILED if told else PASSED)
    assert told in outcome.reason


@pytest.mark.parametrize("other", [{"a": [1.0, 2]}, {"a": [1.0, 3], "b": 0}, {"a": (1.0,), "b": 2}, [1.0, 2]])
def test_other_answers_have_other_hashes(other: object) -> None:
    """In any order of its keys an answer has one hash, and another answer has another."""

    def hashed(value: object) -> str:
        return hashlib.sha256(b"".join(digested(value))).hexdigest()

    value = {"a": [1.0, 2], "b": 0}
    assert hashed({"b": 0, "a": [1.0, 2]}) == hashed(value)
    assert hashed(other) != hashed(value)
    assert hashed(torch.ones(2)) != hashed(torch.ones(1, 2))


def test_rare_numbers_are_compared() -> None:
    """NumPy has no bfloat16, no 8-bit floats and no lazy conjugates; they are compared all the same."""
    for value in (
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2).to(torch.float8_e4m3fn),
        torch.ones(2, dtype=torch.float16),
        torch.ones(2, dtype=torch.complex64).conj(),
    ):
        assert_same(value, value.clone())
        with pytest.raises(AssertionError, match="values differ"):
            assert_same(value, torch.zeros(2).to(value.dtype))


def test_differences_are_told_with_their_place() -> None:
    """Equal is equal to the bit unless a tolerance is given, in tensors, arrays, numbers and what holds them."""
    value = {"a": [torch.tensor([1.0, float("nan")]), np.arange(3)], "b": (1, "x", None, 0.5)}
    assert_same(value, {"a": [torch.tensor([1.0, float("nan")]), np.arange(3)], "b": (1, "x", None, 0.5)})
    assert_same({"x": 1.0}, {"x": 1.0 + 1e-9}, tolerance=1e-6)
    for other, words in (
        ({"a": value["a"]}, r"result: expected the keys \['a', 'b'\]"),
        ({**value, "a": [torch.tensor([float("nan")] * 2), np.arange(3)]}, r"a\[0\]: 1 of 2 values differ"),
        ({**value, "b": (1, "x", None, 0.6)}, r"result\.b\[3\]: 1 of 1 values differ"),
        ({**value, "b": (1, "y", None, 0.5)}, r"result\.b\[1\]: expected 'x', got 'y'"),
        ({**value, "a": [torch.tensor([1.0]), np.arange(3)]}, r"result\.a\[0\]: expected float32 \[2\]"),
        ({**value, "a": [value["a"][0], np.arange(3.0)]}, r"result\.a\[1\]: expected int64 \[3\], got float64"),
        ({**value, "a": value["a"][:1]}, r"result\.a: expected 2 items"),
    ):
        with pytest.raises(AssertionError, match=words):
            assert_same(other, value)
    with pytest.raises(AssertionError, match="result: 1 of 1 values are NaN in one of the two alone"):
        assert_same(float("nan"), 1.0, tolerance=1e-6)


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
