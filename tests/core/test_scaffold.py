"""`wakekit new`: what it writes works as written, for every kind, and nothing is ever overwritten."""

from __future__ import annotations

import ast
import difflib
import itertools
import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.readme_support import ROOT, lines
from tests.wheels import Environment
from wakekit.kinds import KINDS
from wakekit.recipe import load_recipe
from wakekit.recipe_table import as_table
from wakekit.registry import Registry, installed
from wakekit.scaffold import names
from wakekit.scaffold.package import new_package, supported
from wakekit.scaffold.writing import ScaffoldError, write_file, write_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import Typed

NONE = Registry(())
RUFF = (sys.executable, "-m", "ruff")
# Their tests train, or start processes.
LONG = ("exporter", "launcher", "trainer")


def write_all(folder: Path, *, name: str = "", component: str = "") -> Path:
    """Write a plugin of every kind; `name` and `component` are filled up to the most letters, or else the usual."""
    for number, kind in enumerate(KINDS):
        plugin = f"{kind[0]}{number:02}{name}" if name else f"acme-{kind}"
        made = new_package(plugin, kind, component or None, NONE)
        write_folder(folder / plugin, made.files())
    return folder


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin of every kind, as written, each beside the metadata that installing it would leave."""
    folder = write_all(tmp_path_factory.mktemp("new"))
    for project in sorted(folder.glob("*/pyproject.toml")):
        about = tomllib.loads(project.read_text())["project"]
        info = project.parent / "src" / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
        points = "".join(f"{name} = {module}\n" for name, module in about["entry-points"]["wakekit"].items())
        (info / "entry_points.txt").write_text(f"[wakekit]\n{points}")
    return folder


@pytest.fixture
def with_everything(everything: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same, to be used in this process; their modules are forgotten afterwards."""
    before = set(sys.modules)
    for source in everything.glob("*/src"):
        monkeypatch.syspath_prepend(str(source))
    yield everything
    for name in set(sys.modules) - before:
        if str(everything) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run_tests(folder: Path, *tests: Path) -> str:
    """Run tests of packages in one process that has all of them; return what pytest printed."""
    (folder / "pytest.ini").touch()
    path = os.pathsep.join(map(str, sorted(folder.glob("*/src"))))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "pytest.ini", "-p", "no:cacheprovider", "--import-mode=importlib",
         *map(str, tests)],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_every_kind_has_a_plugin_to_begin_with() -> None:
    """A new kind must be given one."""
    folder = resources.files("wakekit.scaffold") / "templates" / "kinds"
    assert {path.name for path in folder.iterdir()} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_recipes_of_new_plugins_pass_check(with_everything: Path, kind: str, typed: Typed) -> None:
    """The recipe names the component where its kind stands, and `wakekit check` has nothing to say against it."""
    (recipe,) = (with_everything / f"acme-{kind}" / "recipes").glob("*.toml")
    answer = typed("check", recipe)
    assert (answer.code, answer.err) == (0, "")
    used = [chosen.entry for chosen in load_recipe(recipe, installed()).single.values()]
    used += [chosen.entry for many in load_recipe(recipe, installed()).many.values() for chosen in many.values()]
    assert [entry.component.kind for entry in used if entry.plugin.name == f"acme-{kind}"] == [kind]


@pytest.mark.parametrize(
    ("name", "component"), [("", ""), ("q", "z"), ("x" * 27, "m" * 30), ("-2", "2d"), ("-a", "tensor")]
)
def test_new_plugins_pass_ruff_by_their_own_rules(tmp_path: Path, name: str, component: str) -> None:
    """Linted and formatted, with the shortest and the longest names, and with names that Python or torch have."""
    write_all(tmp_path, name=name, component=component)
    for command in (["check", "--output-format=concise"], ["format", "--check"]):
        done = subprocess.run(
            [*RUFF, *command, "--no-cache", "."], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.mark.slow
def test_new_plugins_pass_mypy(everything: Path, tmp_path: Path) -> None:
    """Strictly, sources and tests; half a minute, most of it for torch."""
    for project in everything.iterdir():
        for path in [path for part in ("src", "tests") for path in (project / part).rglob("*.py")]:
            inside = path.relative_to(project)
            # Tests of all packages lie in one folder.
            test = Path("tests") / f"{project.name}_{path.name}".replace("-", "_")
            place = tmp_path / (inside if inside.parts[0] == "src" else test)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(path.read_text())
    (tmp_path / "pyproject.toml").write_text((everything / "acme-model" / "pyproject.toml").read_text())
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_components_of_new_plugins_pass_their_own_tests(everything: Path) -> None:
    """Each kind's component does what its tests say; conformance and recipes are held below."""
    kinds = [kind for kind in KINDS if kind not in LONG]
    every = [path for kind in kinds for path in (everything / f"acme-{kind}" / "tests").glob("*.py")]
    own = [path for path in every if path.stem not in {"test_conformance", "test_recipes"}]
    assert len(own) == len(kinds)
    assert int(re.findall(r"(\d+) passed", run_tests(everything, *own))[0]) >= 2 * len(kinds)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_new_plugins_of_all_kinds_pass_all_their_tests(everything: Path) -> None:
    """Conformance and recipe too; five minutes on one core."""
    printed = run_tests(everything, *sorted(everything.glob("*/tests/*.py")))
    assert "skipped" not in printed


# What a newcomer writes: log-odds that are also scaled. Pairs of old and new lines, by file.
OWN = {
    "src/acme_wake/shift.py": (
        ("    limit: float = option(", '    scale: float = option(1.0, above=0, at_most=9, help="a factor")\n{}'),
        ("LogOddsShift(self.limit)", "LogOddsShift(self.limit, self.scale)"),
        ("limit: float) -> None", "limit: float, scale: float) -> None"),
        ("        self.limit = limit", "        self.limit, self.scale = limit, scale"),
        ("log_odds, share = scores.double()", "log_odds, share = self.scale * scores.double()"),
        ("torch.sigmoid(scores.double() + self.shift)", "torch.sigmoid(self.scale * scores.double() + self.shift)"),
    ),
    "recipes/shift.toml": (('type = "shift"', "{}\nscale = 0.5"),),
}  # fmt: skip


def write_own(folder: Path) -> int:
    """Put the newcomer's lines into the package; return how many they are."""
    count = 0
    for name, edits in OWN.items():
        before = after = (folder / name).read_text()
        for old, new in edits:
            assert after.count(old) == 1, old
            after = after.replace(old, new.format(old))
        (folder / name).write_text(after)
        lines = difflib.ndiff(before.splitlines(), after.splitlines())
        count += sum(line.startswith("+ ") for line in lines)
    return count


def test_from_nothing_to_a_proven_plugin_in_three_commands(
    tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`new`, an install and `pytest`, as READMEs have them: with at most 12 lines of one's own, all of it passes."""
    monkeypatch.chdir(tmp_path)
    answer = typed("new", "plugin", "acme-wake", "--kind", "calibrator")
    assert answer.code == 0, answer.err
    assert 1 <= write_own(tmp_path / "acme-wake") <= 12
    said = [line.partition("#")[0].strip() for line in answer.out.partition("next:\n")[2].splitlines()]
    for readme in ("README.md", "plugins/README.md"):
        shown = lines((ROOT / readme).read_text())
        place = shown.index("wakekit new plugin acme-wake --kind calibrator")
        assert shown[place + 1 : place + 3] == said[:2]
    install, test, _run = map(shlex.split, said)
    assert (install[:3], test[0]) == (["pip", "install", "-e"], "pytest")
    env = Environment(tmp_path / "env")
    # Without a network, and with what the environment has: the two things that a newcomer need not say.
    pip = [sys.executable, "-m", "pip", "--python", env.python, *install[1:], "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-build-isolation"], check=True, capture_output=True)
    done = subprocess.run(
        [env.python, "-m", *test, "-v", "-p", "no:cacheprovider"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    for passed in ("test_conformance PASSED", "test_a_recipe_runs[shift] PASSED"):
        assert passed in done.stdout


def test_it_says_what_it_wrote_and_what_comes_next(tmp_path: Path, typed: Typed) -> None:
    """Names are put into the form that package indexes use, and said; every file is listed, then three commands."""
    answer = typed(
        "new", "plugin", "Acme_Wake", "--kind", "metric", "--component", "My_Metric", "--into", tmp_path / "a"
    )
    folder = tmp_path / "a" / "acme-wake"
    assert (answer.code, answer.err) == (0, "")
    assert "Acme_Wake is written acme-wake\nMy_Metric is written my-metric\n" in answer.out
    listed = {line.strip() for line in answer.out.splitlines() if line.startswith(f"  {folder}")}
    written = {str(path) for path in folder.rglob("*") if path.is_file()}
    assert listed == written
    assert len(written) == 11
    assert len(answer.out.partition("next:\n")[2].splitlines()) == 3
    assert (folder / "recipes" / "my-metric.toml").read_text().endswith('[metrics.my-metric]\ntype = "my-metric"\n')


@pytest.mark.parametrize("there", ["folder", "file", "link"])
def test_nothing_is_overwritten(tmp_path: Path, typed: Typed, there: str) -> None:
    """What is there stays as it is, one sentence says so, and nothing else is left."""
    target = tmp_path / "acme-wake"
    if there == "folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    elif there == "file":
        target.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    before = {path: path.is_file() and path.read_text() for path in tmp_path.rglob("*")}
    answer = typed("new", "plugin", "acme-wake", "--kind", "loss", "--into", tmp_path)
    assert answer.code == 2
    assert re.fullmatch(
        r"\S*acme-wake: there is .* already, and nothing is overwritten; choose another name\n", answer.err
    )
    assert {path: path.is_file() and path.read_text() for path in tmp_path.rglob("*")} == before


def test_an_empty_folder_is_no_hindrance(tmp_path: Path, typed: Typed) -> None:
    """It becomes the package's."""
    (tmp_path / "acme-wake").mkdir()
    assert typed("new", "plugin", "acme-wake", "--kind", "loss", "--into", tmp_path).code == 0
    assert (tmp_path / "acme-wake" / "pyproject.toml").is_file()


@pytest.mark.parametrize("count", [1, 5, 11, 12])
def test_an_interrupted_one_leaves_nothing(
    tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Whenever Ctrl-C comes, also at the very end, no file and no folder stays, nor any that was made for it."""
    left, usual = iter(range(count - 1)), Path.write_text

    def interrupted(path: Path, text: object, **options: str) -> int:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return usual(path, str(text), **options)

    monkeypatch.setattr(Path, "write_text", interrupted)
    if count == 12:
        monkeypatch.setattr(Path, "replace", interrupted)
    assert typed("new", "plugin", "acme-wake", "--kind", "loss", "--into", tmp_path / "deep" / "er").code == 130
    assert not list(tmp_path.iterdir())


def test_somebody_quicker_keeps_what_is_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or a file that appears while one is written is not overwritten either."""
    usual = Path.write_text

    def quicker(path: Path, text: str, **options: str) -> int:
        for name in ("there", "there.toml"):
            if not (tmp_path / name).exists():
                (tmp_path / name).mkdir() if name == "there" else usual(tmp_path / name, "theirs")
        usual(tmp_path / "there" / "theirs", "theirs")
        return usual(path, text, **options)

    monkeypatch.setattr(Path, "write_text", quicker)
    with pytest.raises(ScaffoldError, match="nothing is overwritten"):
        write_folder(tmp_path / "there", {"mine": "mine"})
    (tmp_path / "there.toml").unlink()
    with pytest.raises(ScaffoldError, match="nothing is overwritten"):
        write_file(tmp_path / "there.toml", "mine")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["theirs", "there", "there.toml"]
    assert (tmp_path / "there.toml").read_text() == "theirs"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wakekit", "looks like a part of wakekit itself"),
        ("wakekit-acme", "looks like a part of wakekit itself"),
        ("Wakekit_Acme", "looks like a part of wakekit itself"),
        ("torch", "an import package 'torch' is installed already"),
        ("json", "'json' is taken in Python"),
        ("tests", "'tests' is taken in Python, or in the layout of a package"),
        ("3m-wake", "makes no import package ('3m_wake')"),
        ("import", "makes no import package ('import')"),
        ("match", "makes no import package ('match')"),
        ("acme wake", "is no name for a plugin: letters, digits and dashes between them, as in acme-wake"),
        ("-acme", "is no name for a plugin"),
        ("acme-", "is no name for a plugin"),
        ("../acme", "is no name for a plugin"),
        ("äcme", "is no name for a plugin"),
        ("", "is no name for a plugin"),
        ("a" * 31, "is too long for a plugin: 31 letters, 30 at most"),
    ],
)
def test_names_that_will_not_do(tmp_path: Path, typed: Typed, name: str, message: str) -> None:
    """One sentence that names what is wrong, exit code 2, and nothing written."""
    arguments = ["--kind", "loss", "--into", tmp_path]
    answer = typed("new", "plugin", *arguments, "--", name)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert message in answer.err
    assert not list(tmp_path.iterdir())


def test_a_component_s_name_that_will_not_do(tmp_path: Path, typed: Typed) -> None:
    """It is told as a plugin's is."""
    answer = typed("new", "plugin", "acme", "--kind", "loss", "--component", "a:b", "--into", tmp_path)
    assert (answer.code, "'a:b' is no name for a component" in answer.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_an_unknown_kind_is_told_with_all_there_are(tmp_path: Path, typed: Typed) -> None:
    """And with the nearest."""
    answer = typed("new", "plugin", "acme-wake", "--kind", "calibratr", "--into", tmp_path)
    assert answer.code == 2
    assert answer.err == f"unknown kind 'calibratr' (did you mean 'calibrator'?); kinds are {', '.join(KINDS)}\n"


def test_names_that_others_have_are_warned_of(with_everything: Path, tmp_path: Path, typed: Typed) -> None:
    """A recipe then says whose component it means; a plugin may be begun anew elsewhere."""
    assert with_everything
    answer = typed("new", "plugin", "nova", "--kind", "calibrator", "--component", "platt", "--into", tmp_path)
    assert answer.code == 0
    assert "warning: wakekit-evaluation (wakekit " in answer.err
    assert "offers a calibrator 'platt' too: recipes must say which, as in 'nova:platt'" in answer.err
    assert 'type = "nova:platt"' in (tmp_path / "nova" / "recipes" / "platt.toml").read_text()
    again = typed("new", "plugin", "acme-loss", "--kind", "loss", "--into", tmp_path)
    assert again.code == 0
    assert again.err.startswith("warning: a plugin acme-loss is installed already: acme-loss (acme-loss 0.1.0)\n")


def bound(statement: ast.stmt) -> list[str]:
    """Return the names that an import, a class or a function at the top of a module gives."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [name.asname or name.name for name in statement.names]
    return [statement.name] if isinstance(statement, (ast.ClassDef, ast.FunctionDef)) else []


@given(st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True), st.sampled_from(KINDS))
@example("types", "corpus")
@example("clip", "metric")
@example("tensor", "calibrator")
@example("recipes", "loss")
@example("conformance", "loss")
@settings(max_examples=40, deadline=None)
def test_a_name_is_refused_or_makes_python_that_parses(name: str, kind: str) -> None:
    """Whatever is typed as a component's name, each file of the package is a module of its own and parses."""
    try:
        files = new_package("acme-wake", kind, name or "x", NONE).files()
    except ScaffoldError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert len(files) == 11
    for path, text in files.items():
        assert "{{" not in text.replace("${{ matrix.python }}", "")
        if path.endswith(".py"):
            assert Path(path).stem.isidentifier()
            taken = list(itertools.chain.from_iterable(map(bound, ast.parse(text).body)))
            assert len(set(taken)) == len(taken)
        elif path.endswith(".toml"):
            tomllib.loads(text)


@given(st.text(max_size=40) | st.from_regex(r"[A-Za-z0-9._-]{1,32}", fullmatch=True))
def test_a_plugin_s_name_is_refused_or_a_package(name: str) -> None:
    """What is taken is an import package's name, in the one form that indexes use."""
    try:
        found = names.plugin_name(name)
    except ScaffoldError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
        return
    assert names.import_name(found).isidentifier()
    assert names.plugin_name(found) == found
    assert not found.startswith("wakekit")


def test_a_package_asks_for_versions_up_to_the_next_first_number() -> None:
    """From the one that it was begun with."""
    assert [supported(version) for version in ("0.1.0", "1.12.3rc1", "2.0")] == [">=0.1,<1", ">=1.12,<2", ">=2.0,<3"]


def contents(recipe: Path | str) -> dict[str, object]:
    """Return what a recipe comes to, but for its name."""
    return {key: value for key, value in as_table(load_recipe(recipe, installed())).items() if key != "name"}


@pytest.mark.parametrize("full", [False, True])
def test_a_new_recipe_is_its_base_for_another_keyword(tmp_path: Path, typed: Typed, *, full: bool) -> None:
    """It passes `check` as written, and comes to what its base does with the keyword set."""
    path = tmp_path / "some" / "juniper.toml"
    answer = typed("new", "recipe", path, "--keyword", 'okay "juniper"', *["--full"] * full)
    assert (answer.code, answer.err) == (0, "")
    checked = typed("check", path)
    assert (checked.code, checked.err) == (0, "")
    base = contents("wakekit:quickstart")
    assert contents(path) == {**base, "corpus": {**base["corpus"], "keyword": 'okay "juniper"'}}  # type: ignore[dict-item]
    text = path.read_text()
    assert text.startswith("#:schema schema.json\n")
    assert ("extends" in text) is not full
    assert ("# what the half hour of audio here can show" in text) is full


def test_a_new_recipe_overwrites_nothing(tmp_path: Path, typed: Typed) -> None:
    """The name gets its ending, and what is there stays."""
    (tmp_path / "mine.toml").write_text("mine")
    answer = typed("new", "recipe", tmp_path / "mine")
    assert answer.code == 2
    assert "mine.toml: there is a file already, and nothing is overwritten" in answer.err
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    answer = typed("new", "recipe", tmp_path)
    assert (answer.code, answer.out) == (2, "")
    assert "this is a folder; name the file to write, as in" in answer.err


def test_a_new_recipe_on_a_file_names_it_from_where_it_lies(tmp_path: Path, typed: Typed, recipe_file: Path) -> None:
    """Bases are relative to the file that names them, and values are the base's own."""
    path = tmp_path / "deep" / "mine.toml"
    assert typed("new", "recipe", path, "--from", recipe_file).code == 0
    assert 'extends = ["../tiny.toml"]' in path.read_text()
    assert tomllib.loads(path.read_text())["window"]["seconds"] == 0.5
    assert contents(path) == contents(recipe_file)


def test_a_copy_that_would_mean_other_files_is_refused(tmp_path: Path, typed: Typed, recipe_file: Path) -> None:
    """A recipe with a relative path is copied beside itself, and nowhere else."""
    text = recipe_file.read_text()
    corpus = tomllib.loads(text)["corpus"]["path"]
    recipe_file.write_text(text.replace(corpus, os.path.relpath(corpus, tmp_path)))
    refused = typed("new", "recipe", tmp_path / "deep" / "mine.toml", "--from", recipe_file, "--full")
    assert refused.code == 2
    assert "names files relative to its own folder" in refused.err
    assert not (tmp_path / "deep").exists()
    assert typed("new", "recipe", tmp_path / "mine.toml", "--from", recipe_file, "--full").code == 0
    assert contents(tmp_path / "mine.toml") == contents(recipe_file)


@pytest.mark.parametrize(
    "written",
    [
        '"chirp" # a\u2028word\x85 = "x"',
        "'''chirp'''",
        '"""chi\\\n   rp"""',
        '"""\nchirp\n"""""',
        "'''\nchirp'' # no comment\n''''' # a comment",
    ],
)
def test_a_copy_finds_the_keyword_however_it_is_written(
    tmp_path: Path, typed: Typed, recipe_file: Path, written: str
) -> None:
    """In strings of several lines too, and below comments with what Unicode, but not TOML, calls the end of a line."""
    text = "# a\u2028comment\x85\n" * 2 + "# of\u2029it\n" + recipe_file.read_text()
    text = text.replace("seed = 3", "seed = 3 # \u2028\u2029\x85\x85", 1).replace('"chirp"', written, 1)
    recipe_file.write_text(text, encoding="utf-8")
    answer = typed("new", "recipe", tmp_path / "mine.toml", "--from", recipe_file, "--full", "--keyword", "nova")
    assert (answer.code, answer.err) == (0, "")
    base = contents(recipe_file)
    assert contents(tmp_path / "mine.toml") == {**base, "corpus": {**base["corpus"], "keyword": "nova"}}  # type: ignore[dict-item]
    copy = (tmp_path / "mine.toml").read_text(encoding="utf-8")
    assert copy.count("\u2028") == text.count("\u2028") - 2  # without the first comments


@pytest.mark.parametrize("full", [False, True])
def test_a_keyword_is_spelt_as_its_language_spells_it(tmp_path: Path, typed: Typed, *, full: bool) -> None:
    """Joiners, which do not show, belong to words of Persian and Hindi."""
    for number, keyword in enumerate(("\u0645\u06cc\u200c\u0631\u0648\u0645", "\u0915\u094d\u200d\u0937")):
        path = tmp_path / f"{number}.toml"
        answer = typed("new", "recipe", path, "--keyword", keyword, *["--full"] * full)
        assert (answer.code, answer.err) == (0, "")
        assert tomllib.loads(path.read_text(encoding="utf-8"))["corpus"]["keyword"] == keyword


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "wakekit:quickstrt"], "did you mean 'wakekit:quickstart'"),
        (["--from", "nowhere.toml"], "nowhere.toml"),
        (["--keyword", " "], "expected words to wake by"),
        (["--keyword", "a\nb"], "expected words to wake by"),
        (["--keyword", "\u200d"], "expected words to wake by"),
        (["--keyword", "a\u202eb"], "expected words to wake by"),
        (["--from", "wakekit:ablations/cmvn", "--full", "--keyword", "nova"], "writes no keyword of its own"),
    ],
)
def test_a_recipe_that_cannot_be_begun(tmp_path: Path, typed: Typed, arguments: list[str], message: str) -> None:
    """What is wrong is told, and nothing is written."""
    answer = typed("new", "recipe", tmp_path / "mine.toml", *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert not list(tmp_path.iterdir())
