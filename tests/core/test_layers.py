"""Reading a recipe's layers: what stays of a base, what can be dropped, and texts that no one meant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.terminal_support import bare, on_terminal
from wakekit.cli import main
from wakekit.errors import RecipeError
from wakekit.layers import Text, identical
from wakekit.recipe import load_recipe
from wakekit.registry import Registry, installed

if TYPE_CHECKING:
    from tests.support import Typed

DEEP = 3000


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Everything installed."""
    return installed()


def said(path: Path, registry: Registry, *changes: str, drops: tuple[str, ...] = ()) -> list[str]:
    """Return every mistake of a recipe on a line."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry, changes=changes, drops=drops)
    return list(caught.value.lines)


def test_writing_the_type_that_was_left_out_drops_nothing(recipe_file: Path, registry: Registry) -> None:
    """`[train]` without a type is the standard trainer, and so is one that says so."""
    assert "[train]\nepochs = 2" in recipe_file.read_text()
    child = recipe_file.with_name("child.toml")
    child.write_text(f'extends = ["{recipe_file.name}"]\ntrain = "standard"\n')
    assert load_recipe(child, registry)["train"].epochs == 2


def test_a_quoted_key_can_be_dropped_and_is_suggested_so(recipe_file: Path, registry: Registry) -> None:
    """`--unset` takes keys as `--set` does."""
    recipe_file.write_text(recipe_file.read_text() + '[metrics."equal errors"]\ntype = "eer"\n')
    assert "equal errors" in load_recipe(recipe_file, registry).many["metrics"]
    dropped = load_recipe(recipe_file, registry, drops=['metrics."equal errors"'])
    assert "equal errors" not in dropped.many["metrics"]
    (line,) = said(recipe_file, registry, drops=('metrics."equal eros"',))
    assert line.endswith("""(did you mean 'metrics."equal errors"'?)""")


@pytest.mark.parametrize(
    "text", [".".join("a" * DEEP) + " = 1", f"x = {'{a=' * 200}1{'}' * 200}", f"[{'.'.join('a' * DEEP)}]"]
)
def test_tables_without_end_are_a_mistake_at_their_line(recipe_file: Path, registry: Registry, text: str) -> None:
    """By dots or by brackets, in a file or typed; the rest of the file is read."""
    wrong = recipe_file.with_name("deep.toml")
    wrong.write_text(f'extends = ["{recipe_file.name}"]\nsede = 1\n{text}\n')
    assert [line.split(" ")[0] for line in said(wrong, registry)] == [f"{wrong}:2:1:", f"{wrong}:3:1:"]
    if not text.startswith("["):
        (line,) = said(recipe_file, registry, text)
        assert line.startswith("--set ")


def test_a_base_is_named_by_where_it_is(recipe_file: Path, registry: Registry) -> None:
    """Not by the way that led there."""
    inner = recipe_file.parent / "inner"
    inner.mkdir()
    (inner / "low.toml").write_text(f'extends = ["../{recipe_file.name}"]\n')
    recipe_file.write_text(recipe_file.read_text().replace("epochs = 2", "epochs = 0"))
    (line,) = said(inner / "low.toml", registry)
    assert line.startswith(f"{recipe_file.resolve()}:")


def test_a_reference_that_is_never_closed_is_a_mistake(recipe_file: Path, registry: Registry) -> None:
    """Where it is used, be it written there or in [vars]; it is no text that somebody wants."""
    (line,) = said(recipe_file, registry, 'name="${vars.x"')
    assert line.endswith("name: a reference to a variable is never closed; write ${env:NAME} or ${vars.name}")
    (line,) = said(recipe_file, registry, 'vars.x="${env:HOME"', 'name="${vars.x}"')
    assert "name: a reference to a variable is never closed" in line


def test_a_search_is_judged_beside_other_mistakes(recipe_file: Path, registry: Registry) -> None:
    """A wrong setting elsewhere hides no option that may not be searched, nor one without values."""
    found = said(recipe_file, registry, "operating_point.search={vots=[1], votes=[], hop_seconds=3}", "seed=-1")
    paths = [line.split(": ")[1] for line in found]
    assert {"operating_point.search.vots", "operating_point.search.votes", "seed"} <= set(paths)


def test_what_variants_share_is_built_once(recipe_file: Path, registry: Registry) -> None:
    """A component is that of the recipe where the variant writes nothing else."""
    table = "[ablate]\nseeds = [0]\n[ablate.variants.slow]\noptimizer.lr = 1e-5\n"
    recipe_file.write_text(recipe_file.read_text() + table)
    found = load_recipe(recipe_file, registry)
    assert found.variants["slow"]["corpus"] is found["corpus"]
    assert found.variants["slow"]["optimizer"].lr == 1e-5 != found["optimizer"].lr


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": [1, 2.5]}, {"a": [1, 2.5]}, True),
        (1, True, False),
        (1, 1.0, False),
        ([1], [1, 2], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        (Text.at(Path("a"), "x"), Text.at(Path("a"), "x"), True),
        (Text.at(Path("a"), "x"), Text.at(Path("b"), "x"), False),
    ],
)
def test_what_is_written_alike(one: object, other: object, *, same: bool) -> None:
    """Types, order and the folders of paths count."""
    assert identical(one, other) is same


def test_a_caret_stands_right_on_a_narrow_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is cut to the terminal's width, or the terminal would break it before the caret."""
    monkeypatch.delenv("COLUMNS", raising=False)
    path = tmp_path / "long.toml"
    path.write_text(f'extends = ["wakekit:quickstart"]\noptimizer = {{ betas = [{"0.5, " * 30}], lr = "日本" }}\n')
    lines = bare(on_terminal("check", path, columns=40)).splitlines()
    place = next(number for number, line in enumerate(lines) if "optimizer.lr" in line)
    caret = next(number for number in range(place, len(lines)) if lines[number].strip() == "^")
    assert len(lines[caret - 1]) <= 40
    assert lines[caret - 1][lines[caret].index("^") :].startswith('"日本"')


def test_a_closed_stream_changes_no_exit_code(recipe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `2>&-` of a shell: there is nothing to print to, and the recipe is as wrong as before."""
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["check", str(recipe_file), "--set", "sede=1"]) == 2
    sys.stderr.close()


def test_options_before_the_command_are_explained(typed: Typed) -> None:
    """Rather than taken for the command, or passed over."""
    for word, near in (("--verison", " (did you mean '--version'?)"), ("--set", "")):
        answer = typed(word, "seed=1", "check")
        assert answer.code == 2
        assert f"unknown option '{word}'{near}; those of a command come after it" in answer.err


def test_an_interrupted_check_promises_nothing(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what carries out stages keeps them."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wakekit.recipe.load_recipe", interrupted)
    answer = typed("show", "wakekit:quickstart")
    assert (answer.code, answer.err.strip()) == (130, "interrupted")
    assert "finished stages are kept" in typed("run", "wakekit:quickstart").err
