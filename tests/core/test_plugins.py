"""Plugins: isolated, loud, blockable, and used under the names they are listed by."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import Typed, add_plugin
from wakekit.errors import PluginError, WakekitError
from wakekit.plugins import load_plugins
from wakekit.recipe import load_recipe
from wakekit.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
from wakekit import Component, hookimpl
@hookimpl
def wakekit_components():
    yield Component("normalizer", "rasta", "acme_rasta:Rasta", version=2, summary="RASTA filtering")
"""
RASTA = """
import attrs, torch
from wakekit import option
@attrs.frozen
class Rasta:
    '''Band-pass every band.'''
    pole: float = option(0.94, above=0, below=1, help="pole of the filter")
    def build(self, n_features): return torch.nn.Identity()
"""
ANY = "raise RuntimeError('no  good\\nat all')"


def states(disabled: tuple[str, ...] = ()) -> dict[str, tuple[str, str]]:
    """Load plugins and return the state and reason of each."""
    return {plugin.name: (plugin.state, plugin.reason) for plugin in load_plugins(disabled)}


@pytest.mark.parametrize(
    ("source", "state", "words"),
    [
        (ANY, "failed", "RuntimeError: no good at all"),
        ("raise SystemExit(7)", "failed", "SystemExit: 7"),
        ("import nonexistent_thing", "failed", "nonexistent_thing"),
        ("x = 1", "failed", "wakekit_components"),
        ("def", "failed", "SyntaxError"),
        ("wakekit_api = 99\n" + GOOD, "incompatible", "99"),
        (GOOD.replace("wakekit_components", "wakekit_component"), "failed", "wakekit_component"),
        (GOOD.replace('"normalizer"', '"normaliser"'), "failed", "unknown kind 'normaliser'"),
        (GOOD.replace("version=2", "version='2'"), "failed", "whole number"),
        (GOOD.replace("acme_rasta:Rasta", "acme_rasta.Rasta"), "failed", "module:Class"),
        (GOOD.replace('"rasta"', '"ra sta"'), "failed", "letters"),
        (GOOD.replace("yield Component", "yield dict"), "failed", "TypeError"),
        (GOOD.replace("version=2", "formerly='old'"), "failed", "must be a tuple of names, got 'old'"),
        (GOOD.replace("version=2", "formerly=['old']"), "failed", "must be a tuple of names, got ['old']"),
        (GOOD.replace("version=2", "formerly=('old', 3)"), "failed", "must be a tuple of names"),
        (GOOD.replace("version=2", "formerly=('o ld',)"), "failed", "letters"),
        (GOOD.replace("version=2", "formerly=('rasta',)"), "failed", "a name that it has still"),
        (GOOD.replace("version=2", "formerly=('old', 'old')"), "failed", "a name that"),
        (GOOD.replace("version=2", "deprecated=True"), "failed", "expected text as the deprecated"),
        (GOOD + "    yield Component('normalizer', 'b', 'm:B', formerly=('rasta',))\n", "failed",
         "normalizer 'b' was formerly 'rasta', a name that normalizer 'rasta' has or had"),
        (GOOD.replace("version=2", "formerly=('old',)") + "    yield Component('normalizer', 'b', 'm:B', "
         "formerly=('old',))\n", "failed", "normalizer 'b' was formerly 'old'"),
        (GOOD + "    yield Component('metric', 'b', 'm:B', formerly=('rasta',))\n", "ok", ""),
        (GOOD.replace("yield Component", "return Component"), "ok", ""),
        (GOOD + "    yield 3\n", "failed", "got 3"),
        (GOOD + "    yield ('metric', 'b', 'm:B', 1, '', (), '')\n", "failed", "expected wakekit.Component"),
        (GOOD + "    raise KeyError('late')\n", "failed", "late"),
        (GOOD + GOOD.splitlines()[-1] + "\n", "failed", "twice"),
    ],
)  # fmt: skip
def test_a_bad_plugin_is_reported_and_alone(site: Path, source: str, state: str, words: str) -> None:
    """T38: whatever a plugin does, it is listed with its reason, and the others load."""
    add_plugin(site, "acme-bad", source)
    found = states()
    assert found["acme-bad"][0] == state
    assert words in found["acme-bad"][1]
    assert found["wakekit-data"][0] == "ok"


def test_keyboard_interrupt_is_not_swallowed(site: Path) -> None:
    """Ctrl-C during an import ends the command."""
    add_plugin(site, "acme-slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        states()


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_disabled_plugin_is_not_imported(
    monkeypatch: pytest.MonkeyPatch, site: Path, tmp_path: Path, how: str
) -> None:
    """Disabling works before the import: its code does not run."""
    mark = tmp_path / "imported"
    add_plugin(site, "acme-mark", f"open({str(mark)!r}, 'w')\n" + GOOD)
    if how == "environment":
        monkeypatch.setenv("WAKEKIT_DISABLE_PLUGINS", "other, acme-mark")
    found = states(("acme-mark",) if how == "argument" else ())
    assert found["acme-mark"][0] == "disabled"
    assert not mark.exists()


def test_a_folder_of_no_distribution_stops_nothing(site: Path) -> None:
    """A folder that only ends as metadata do has no name, and the plugins are found all the same."""
    (site / ".dist-info").mkdir(parents=True)
    (site / ".dist-info" / "entry_points.txt").write_text("[wakekit]\nlost = nowhere\n")
    found = states()
    assert found["lost"][0] == "failed"
    assert found["wakekit-data"][0] == "ok"


def test_the_first_distribution_of_a_name_on_the_path_is_the_one(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is the one that Python imports: what it hides is not listed beside it."""
    add_plugin(site, "acme", GOOD, distribution="acme-wake", version="0.3")
    add_plugin(site / "nearer", "acme", GOOD, distribution="Acme_Wake", version="0.4")
    monkeypatch.syspath_prepend(str(site / "nearer"))
    assert [plugin.version for plugin in load_plugins() if plugin.name == "acme"] == ["0.4"]


def test_a_plugin_is_disabled_under_its_distributions_name_too(site: Path) -> None:
    """However dashes and capitals are written."""
    add_plugin(site, "acme", GOOD, distribution="acme-wake")
    for name in ("acme", "acme-wake", "Acme_Wake"):
        assert states((name,))["acme"][0] == "disabled"
    assert states(("acme-w",))["acme"][0] == "ok"


def test_a_misspelt_name_to_disable_is_not_silent(
    monkeypatch: pytest.MonkeyPatch, site: Path, recipe_file: Path, typed: Typed
) -> None:
    """It is an error on the command line, and a warning where the environment names it."""
    add_plugin(site, "acme", GOOD)
    for words in (("plugins",), ("components",), ("check", recipe_file)):
        answer = typed(*words, "--disable-plugin", "acne", "--disable-plugin", "acme")
        assert answer.code == 2
        assert answer.err.startswith("--disable-plugin: there is no plugin 'acne' to disable (did you mean 'acme'?)")
    monkeypatch.setenv("WAKEKIT_DISABLE_PLUGINS", "acne")
    answer = typed("plugins")
    assert answer.code == 0
    assert answer.err.startswith("warning: WAKEKIT_DISABLE_PLUGINS: there is no plugin 'acne' to disable (did")


def test_what_is_deprecated_is_listed_so(site: Path, typed: Typed) -> None:
    """In the list and in the description, with the names it had."""
    extra = "formerly=('band',), deprecated='use cmvn', "
    add_plugin(site, "acme", GOOD.replace("version=2, ", extra))
    (site / "acme_rasta.py").write_text(RASTA.replace("above=0", "deprecated='it stays at 0.94', above=0"))
    assert re.search(r"  rasta +acme +RASTA filtering \(deprecated: use cmvn\)\n", typed("components").out)
    described = typed("components", "normalizer", "band").out
    assert described.startswith("normalizer rasta, version 1, of plugin acme (acme 1.0)\n")
    assert "(formerly band; deprecated: use cmvn)" in described
    assert "pole of the filter (deprecated: it stays at 0.94)" in described


def test_two_providers_are_ambiguous_at_use_only(site: Path) -> None:
    """T39: a name offered twice is an error that names both, and a qualified name picks one."""
    add_plugin(site, "acme", GOOD, distribution="acme-wake", version="0.3")
    add_plugin(site, "bell", GOOD, version="2.0")
    registry = Registry(load_plugins())
    with pytest.raises(
        PluginError, match=r"acme \(acme-wake 0\.3\) and bell \(bell 2\.0\).*'acme:rasta' or 'bell:rasta'"
    ):
        registry.find("normalizer", "rasta")
    assert registry.find("normalizer", "bell:rasta").plugin.name == "bell"
    assert {registry.name_of(e) for e in registry.entries("normalizer")} >= {"acme:rasta", "bell:rasta", "cmvn"}
    assert registry.find("normalizer", "cmvn").component.name == "cmvn"


def test_unknown_names_come_with_a_suggestion(site: Path) -> None:
    """The nearest name first, then what there is; an uninstalled or failed plugin is named."""
    add_plugin(site, "acme", ANY)
    registry = Registry(load_plugins())
    with pytest.raises(WakekitError, match="unknown normalizer 'cmnv' \\(did you mean 'cmvn'\\?\\)") as caught:
        registry.find("normalizer", "cmnv")
    assert caught.value.exit_code == 2
    with pytest.raises(PluginError, match=r"plugin acme \(acme 1\.0\), which is failed: RuntimeError: no good"):
        registry.find("normalizer", "acme:rasta")
    with pytest.raises(PluginError, match="'nobody', which is not installed"):
        registry.find("normalizer", "nobody:rasta")
    with pytest.raises(PluginError, match="may offer it: acme"):
        registry.find("normalizer", "zzzz")


def test_a_strangers_component_is_listed_described_and_checked_alike(
    site: Path, recipe_file: Path, typed: Typed
) -> None:
    """T36, T37: what is listed can be used, and its options reach it."""
    add_plugin(site, "acme", GOOD)
    (site / "acme_rasta.py").write_text(RASTA)
    assert "rasta" in typed("components", "normalizer").out
    described = typed("components", "normalizer", "rasta").out
    assert "version 2" in described
    assert "pole    float  0.94     above 0 and below 1  pole of the filter" in described
    good = typed("show", recipe_file, "--set", "normalizer={type='rasta', pole=0.5}")
    assert "pole = 0.5" in good.out
    bad = typed("check", recipe_file, "--set", "normalizer={type='acme:rasta', pol=0.5}")
    assert bad.code == 2
    assert "unknown option 'pol' of acme:rasta (did you mean 'pole'?)" in bad.err


def test_plugin_trouble_in_a_recipe_is_exit_3(site: Path, recipe_file: Path, typed: Typed) -> None:
    """A recipe that needs a failed plugin says so, and one whose module cannot be imported, without a traceback."""
    add_plugin(site, "acme", ANY)
    add_plugin(site, "bell", GOOD.replace("acme_rasta", "missing_module"))
    for name, words in (("acme:rasta", "RuntimeError: no good at all"), ("bell:rasta", "missing_module")):
        answer = typed("check", recipe_file, "--set", f"normalizer={name}")
        assert answer.code == 3, answer.err
        assert words in answer.err
    listed = typed("plugins")
    assert listed.code == 0
    assert "failed" in listed.out
    with_disabled = typed("check", recipe_file, "--disable-plugin", "wakekit-features")
    assert with_disabled.code == 3
    assert "disabled" in with_disabled.err


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            RASTA + "    def __attrs_post_init__(self): [][1]\n",
            "'rasta' of plugin acme (acme 1.0) failed: IndexError: ",
        ),
        (
            "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute",
            "'rasta' of plugin acme (acme 1.0) cannot be imported: Mute",
        ),
    ],
)
def test_a_component_that_cannot_be_made_is_plugin_trouble(
    site: Path, recipe_file: Path, typed: Typed, source: str, words: str
) -> None:
    """Whatever a component raises while it is imported or built is a sentence that names it, at its place."""
    add_plugin(site, "acme", GOOD)
    (site / "acme_rasta.py").write_text(source)
    answer = typed("check", recipe_file, "--set", "normalizer=rasta")
    assert answer.code == 3
    assert f"--set normalizer=rasta: normalizer.type: normalizer {words}" in answer.err


def test_listing_imports_nothing_heavy() -> None:
    """T45: `components` runs without torch, numpy, scikit-learn or any component's module; `--help` without plugins."""
    script = (
        "import sys; from wakekit.cli import main\n"
        "try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'sklearn', 'scipy', 'numba', 'rich', 'cattrs', 'attr'} & set(sys.modules)\n"
        "plugins = {m for m in sys.modules if m.startswith('wakekit_')}\n"
        "print('HEAVY', sorted(heavy)); print('PLUGINS', len(plugins), {m for m in plugins if '.' in m})"
    )

    def run(arguments: list[str]) -> str:
        command = [sys.executable, "-c", script.replace("{arguments!r}", repr(arguments))]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    listed = run(["components"])
    assert "HEAVY []" in listed
    assert "PLUGINS 6 set()" in listed
    assert "PLUGINS 0 set()" in run(["--help"])


NUMBERS = """
import attrs
from wakekit import Component, hookimpl, option
@hookimpl
def wakekit_components():
    yield Component("metric", "one", "acme_numbers:Numbers")
    yield Component("metric", "two", "acme_numbers:Numbers")
@attrs.frozen
class Numbers:
    x: float = option(1, help="written as a whole number")
    range: tuple[float, float] = option((1, 2), help="likewise")
    def compute(self, results): return 3.0
"""


def test_a_default_means_what_it_would_in_a_recipe(site: Path, recipe_file: Path) -> None:
    """T42: a default of 1 for a float is 1.0, so that the saved recipe has the same fingerprint."""
    add_plugin(site, "acme-numbers", NUMBERS)
    recipe = load_recipe(recipe_file, Registry(load_plugins()), changes=["metrics.n=one"])
    value = recipe.each("metrics")["n"]
    assert [type(number) for number in (value.x, *value.range)] == [float] * 3


def test_one_class_cannot_be_two_components(site: Path, recipe_file: Path, typed: Typed) -> None:
    """Two names for one class would fingerprint alike: refused, with both names."""
    add_plugin(site, "acme-numbers", NUMBERS)
    answer = typed("check", recipe_file, "--set", "metrics.a=one", "--set", "metrics.b=two")
    assert answer.code == 3
    assert "is both metric 'one'" in answer.err


def test_a_metric_that_measures_nonsense_is_named(site: Path, recipe_file: Path, typed: Typed, tmp_path: Path) -> None:
    """What a plugin's metric returns is checked before it is written, and the metric named."""
    add_plugin(site, "acme-numbers", NUMBERS)
    answer = typed("run", recipe_file, "--out", tmp_path / "runs", "--set", "metrics.n=one")
    assert answer.code == 3
    assert "metric n (Numbers of acme_numbers): expected a list of wakekit.Measure, got 3.0" in answer.err
