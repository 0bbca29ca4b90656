"""The mistakes of a recipe as people and programs read them: all at once, with their places and what to write."""

from __future__ import annotations

import json
import time
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wakekit.errors import Mistake, Problem, RecipeError
from wakekit.geometry import all_geometries
from wakekit.layers import read_layers
from wakekit.recipe import load_recipe
from wakekit.registry import Registry, installed
from wakekit.toml_syntax import parse

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Everything installed."""
    return installed()


def mistakes(
    path: Path, registry: Registry, *changes: str, drops: tuple[str, ...] = ()
) -> list[tuple[str, int, int, str]]:
    """Return file name, line, column and path of every mistake in a recipe."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry, changes=changes, drops=drops)
    return [(one.file.rpartition("/")[2], one.line, one.column, one.path) for one in caught.value.mistakes]


def messages(path: Path, registry: Registry, *changes: str) -> list[str]:
    """Return what is said of a recipe, without the places."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry, changes=changes)
    return [one.message for one in caught.value.mistakes]


def test_files_bases_and_changes_are_told_at_once(recipe_file: Path, registry: Registry) -> None:
    """A lost base, a broken one, a wrong one, the recipe itself, `--set` and `--unset`: nothing hides another."""
    folder = recipe_file.parent
    (folder / "broken.toml").write_text("[loss]\ntype = focal\n")
    (folder / "wrong.toml").write_text(recipe_file.read_text().replace("epochs = 2", "epochs = 0"))
    child = folder / "child.toml"
    child.write_text(
        'extends = ["wrong.toml", "broken.toml", "gone.toml", 3]\nsede = 1\n'
        "[ablate]\nlevel = 3.0\n[ablate.axes.x]\nset = 'model.chanels'\nto = [1]\n"
        "[conditions.far]\nseed = -1\naugmentations.n = 'nois'\n"
    )
    found = mistakes(child, registry, "a.b", "optimizer.foo=3", drops=("callbacks.none",))
    assert found[:7] == [
        ("child.toml", 1, 41, "extends.2"),
        ("child.toml", 1, 54, "extends"),
        ("child.toml", 2, 1, "sede"),
        ("child.toml", 4, 9, "ablate.level"),
        ("child.toml", 6, 7, "ablate.axes.x.set"),
        ("child.toml", 9, 8, "conditions.far.seed"),
        ("child.toml", 10, 19, "conditions.far.augmentations.n.type"),
    ]
    assert {(name, line) for name, line, _, _ in found[7:]} == {
        ("broken.toml", 2),
        ("wrong.toml", 45),
        ("--set a.b", 0),
        ("--set optimizer.foo=3", 0),
    }


def test_a_wrong_change_does_not_hide_another(recipe_file: Path, registry: Registry) -> None:
    """Several of `--set` and `--unset` are wrong at once, also with the recipe."""
    found = mistakes(recipe_file, registry, "a.b", "seed=x y", "train.epochs=0", "extends=x", drops=("none", "loss.x"))
    assert [name for name, *_ in found] == [
        "--set a.b",
        "--set extends=x",
        "--set seed=x y",
        "--set train.epochs=0",
        "--unset loss.x",
        "--unset none",
    ]


def test_what_a_lost_base_may_hold_is_not_called_missing(recipe_file: Path, registry: Registry) -> None:
    """Where a file could not be read whole, only what is there is judged."""
    child = recipe_file.with_name("child.toml")
    child.write_text('extends = "gone.toml"\n[train]\nepochs = "${vars.long}"\n[optimizer]\nlr = 3\n')
    assert mistakes(child, registry) == [("child.toml", 1, 11, "extends")]
    child.write_text("[train]\nepochs = 0\n[model\ntype = 'ds-cnn'\n")
    assert mistakes(child, registry) == [("child.toml", 2, 10, "train.epochs"), ("child.toml", 3, 7, "")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = = 1\nb = 2\nc = x\n", [(1, 5, "Invalid value"), (3, 5, 'did you mean "x"?')]),
        ("a = True\n", [(1, 5, "did you mean true?")]),
        ("a = .5\nb = 5.\nc = [-.1e3, 1]\nd = {e = 1.e-3}\nf = 1.2.3\n",
         [(1, 5, "did you mean 0.5?"), (2, 5, "mean 5.0?"), (3, 6, "mean -0.1e3?"), (4, 10, "mean 1.0e-3?"),
          (5, 8, "Expected newline")]),
        ("r = [1, 2\nb = 3\n[m]\nc = 0.1s\n", [(1, 5, "what begins here is never closed"), (4, 8, "Expected newline")]),
        ('d = """x\n[m]\nb = 1\n', [(1, 5, "what begins here is never closed")]),
        ("[m\nx = = 1\n[n]\ny = 1,5\n", [(1, 3, "Expected ']'"), (4, 6, "Expected newline")]),
        ("a = 1\n[m]\nb = 1\nb = 2\n[n]\n[m]\n", [(4, 1, "'m.b' is written twice; it is at line 3, column 1"),
                                                  (6, 1, "'m' is written twice; it is at line 2, column 1")]),
        ("a = {b = 1, b = 2}\n", [(1, 13, "'a.b' is written twice; it is at line 1, column 6")]),
        ("a\0 = 1\nb = '\0'\n", [(1, 2, "not valid TOML"), (2, 6, "character '\\x00'")]),
        ("é = 1\nü = 'ö' x\n", [(1, 1, "Invalid statement"), (2, 1, "Invalid statement")]),
        (f"a = {'9' * 5000}\n", [(1, 5, "4300 digits")]),
        (f"a = {'[' * 5000}\n", [(1, 1, "nested too deeply")]),
        ("\ufeffa = 1\nb =\n", [(1, 1, "byte order mark"), (2, 4, "Invalid value")]),
    ],
)  # fmt: skip
def test_all_faults_of_a_toml_text(text: str, expected: list[tuple[int, int, str]]) -> None:
    """Every statement that is no TOML is told at its place, once, in words that help; the rest is understood."""
    found = parse(text.encode()).faults
    assert [(fault.line, fault.column) for fault in found] == [(line, column) for line, column, _ in expected]
    for fault, (_, _, words) in zip(found, expected, strict=True):
        assert words in fault.message


def test_bytes_that_are_no_utf_8_have_line_and_column() -> None:
    """The first of each line, and columns count characters."""
    found = parse(b"a = 1\nb = '\xc3\xa9\xff\xff'\nc = 2\nd = '\xfe'\n")
    assert [(fault.line, fault.column) for fault in found.faults] == [(2, 7), (4, 6)]
    assert found.table == {"a": 1, "c": 2}


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a = 1", "b = 'x'", "[t]", "c = [1,", "2]", "d =", "e = '''", "]", "", "[u", "\xff"])))
def test_any_text_is_read_to_its_end(lines: list[str]) -> None:
    """Whatever stands in a file: its faults are within it, and right statements alone have none."""
    data = "\n".join(lines).encode("latin-1")
    parsed = parse(data)
    rows = data.decode(errors="replace").split("\n")
    for fault in parsed.faults:
        assert 1 <= fault.line <= len(rows)
        assert 1 <= fault.column <= len(rows[fault.line - 1]) + 1
    assert parse(parsed.understood.encode()).faults == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("seed = 3", "epochs = 3", "unknown key 'epochs' ('epochs' belongs in [train])"),
        ("n_mels = 20", "lr = 20", "unknown option 'lr' of log-mel ('lr' belongs in [optimizer])"),
        ("channels = 8", "seconds = 8", "('seconds' belongs in [window])"),
        ("channels = 8", "device = 'cpu'", "('device' belongs in the recipe itself, above its tables)"),
        ("lr = 1e-2", "momentum = 0.9", "'momentum' of adamw (sgd has it; write the type that you mean)"),
        ("lr = 1e-2", 'lr = "1e-2"', "expected a number, got '1e-2'; write it without quotes: 1e-2"),
        ("epochs = 2", "epochs = 2.0", "expected a whole number, got 2.0; write it as 2"),
        ('keyword = "chirp"', "keyword = 3", "expected text, got 3; write it in quotes: '3'"),
        ("batch_size = 16", "ratio = 1", "expected a list of 3, got 1"),
        ('type = "cmvn"', 'type = "ds-cnn"', "unknown normalizer 'ds-cnn' (it is a model); there are: cmvn"),
        ("[normalizer]", "[normaliser]", "unknown key 'normaliser' (did you mean 'normalizer'?)"),
        ("[metrics.roc]", "[metric.roc]", "unknown key 'metric' (did you mean 'metrics'?)"),
        ("[metrics.roc]", "[metrics]", "expected tables keyed by id; write [metrics.roc-auc] with type = 'roc-auc'"),
        ("[metrics.roc]", "[[metrics]]", "got a list of tables; write each as [metrics.<id>], in single brackets"),
        ("[metrics.roc]", '[metrics."roc "]',
         "expected an id without blanks around it, got 'roc ' (did you mean 'roc'?)"),
        ("[metrics.roc]", '[metrics.""]', "expected an id without blanks around it, got ''"),
        ("[normalizer]", "[[normalizer]]", "got a list of tables; write its header in single brackets"),
        ("seed = 3", "seed = 3\ncallbacks = ['ema']", "got ['ema']; write callbacks.ema = 'ema'"),
        ("[normalizer]\ntype", "[normalizer]\nType", "unknown option 'Type' (did you mean 'type'?)"),
        ("lr = 1e-2", "lr = 1e-2\nTyp = 'sgd'", "unknown option 'Typ' of adamw (did you mean 'type'?)"),
        ("[window]", "[ablate.axes.a]\nset = 'seed'\ntoo = [1]\n[window]",
         "unknown option 'too' of an axis (did you mean 'to'?)"),
        ("[window]", "[window]\ntolerance = 0.1", "(did you mean 'tolerance_seconds'?)"),
        ("[train]", "[train]\nkeep = 'bset'", "got 'bset' (did you mean 'best'?)"),
    ],
)  # fmt: skip
def test_what_to_do_is_said(recipe_file: Path, registry: Registry, old: str, new: str, told: str) -> None:
    """Near names, the table where an option belongs, the kind that a component is of, how a value is written."""
    text = recipe_file.read_text()
    assert old in text
    recipe_file.write_text(text.replace(old, new, 1))
    assert any(told in message for message in messages(recipe_file, registry)), messages(recipe_file, registry)


@pytest.mark.parametrize("mark", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_of_two_bytes_a_letter_is_one_mistake(recipe_file: Path, registry: Registry, mark: str) -> None:
    """What some editors and shells write by themselves is named, rather than every line of it called wrong."""
    recipe_file.write_bytes(recipe_file.read_text().encode(mark))
    assert messages(recipe_file, registry) == ["expected a TOML file in UTF-8, got UTF-16; save the file as UTF-8"]


def test_a_part_for_others_to_extend_says_so(recipe_file: Path, registry: Registry, typed: Typed) -> None:
    """A suite of conditions is told in a sentence, with its other mistakes, rather than by all that it lacks."""
    part = recipe_file.with_name("part.toml")
    part.write_text('[conditions.far]\naugmentations.n = "nois"\n')
    whole, other = messages(part, registry)
    assert whole.startswith("this is a part for other recipes to extend, not a whole one: it has none of [corpus], ")
    assert whole.endswith(f'as in extends = ["wakekit:quickstart", "{part}"]')
    assert other.startswith("unknown augmentation 'nois' (did you mean 'noise'?)")
    answer = typed("new", "recipe", part.with_name("mine.toml"), "--from", "wakekit:suites/domain_shift")
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert answer.err.endswith('extends = ["wakekit:quickstart", "wakekit:suites/domain_shift"]\n')
    part.write_text("seed = 3\n")
    assert len(messages(part, registry)) == 7


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("optimizer.lr=.5", "expected a TOML value, got '.5'; write 0.5"),
        ("optimizer.lr=-5.e-3", "expected a TOML value, got '-5.e-3'; write -5.0e-3"),
        ("normalizer={type=none}", "close what is opened, and quote text within it: --set 'KEY={type=\"none\"}'"),
        ("normalizer=a b", "quote text: --set 'normalizer=\"a b\"'"),
        ("#seed=3", "'#seed' is not a key; quote a part that has more than letters, digits, _ and -"),
    ],
)
def test_what_to_type_instead_is_said(recipe_file: Path, registry: Registry, change: str, told: str) -> None:
    """A `--set` that changes nothing, or whose value is none, is told with what may have been meant."""
    (message,) = messages(recipe_file, registry, change)
    assert message.endswith(told)


@pytest.mark.parametrize("table", ["optimizer", "metrics.eer", "metrics", "vars", "ablate.axes.x", "train"])
def test_bases_below_a_table_are_the_mistake(recipe_file: Path, registry: Registry, table: str) -> None:
    """`extends` that came to stand in a table is told there, and nothing is called missing that the bases may have."""
    child = recipe_file.with_name("child.toml")
    child.write_text(f'seed = "x"\n[{table}]\nextends = ["{recipe_file.name}"]\n')
    found = {(one.line, one.column, one.path) for one in _caught(child, registry)}
    assert found >= {(1, 8, "seed"), (3, 1, f"{table}.extends")}
    told = [one.message for one in _caught(child, registry)]
    assert "unknown key 'extends' ('extends' belongs in the recipe itself, above its tables)" in told
    assert not [message for message in told if "missing" in message]


def _caught(path: Path, registry: Registry) -> tuple[Mistake, ...]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry)
    return caught.value.mistakes


def test_articles_fit_their_nouns(recipe_file: Path, registry: Registry) -> None:
    """`an optimizer`, `a model`."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file, registry, drops=["optimizer", "model"])
    assert [one.message.partition(" with")[0] for one in caught.value.mistakes] == [
        "missing [model]: choose a model",
        "missing [optimizer]: choose an optimizer",
    ]
    assert caught.value.mistakes[0].source == ""


def test_variables_are_told_where_they_are_wrong(recipe_file: Path, registry: Registry) -> None:
    """A value that came from a variable names it and its place; one that nothing refers to is warned of."""
    text = recipe_file.read_text().replace("epochs = 2", 'epochs = "${vars.long}"')
    recipe_file.write_text(f"{text}[vars]\nlong = 0\nlnog = 3\n")
    line = text.count("\n") + 2
    assert messages(recipe_file, registry) == [
        f"expected a value at least 1, got 0 (from vars.long at {recipe_file}:{line}:8)"
    ]
    recipe_file.write_text(f"{text}[vars]\nlong = 1\nlnog = 3\n")
    (warning,) = load_recipe(recipe_file, registry).warnings
    assert (warning.line, warning.path, warning.suggestion) == (line + 1, "vars.lnog", "long")
    recipe_file.write_text(f"{text}[vars]\nlnog = 3\n")
    assert messages(recipe_file, registry) == [
        "unknown reference ${vars.long}; did you mean ${vars.lnog}?",
        "nothing refers to ${vars.lnog} (did you mean 'long'?)",
    ]


def test_a_variable_of_a_variant_is_used(recipe_file: Path, registry: Registry) -> None:
    """What only `[ablate]` refers to is no unused variable."""
    more = '[vars]\nlong = 3\n[ablate.axes.e]\nset = "train.epochs"\nto = ["${vars.long}"]\n'
    recipe_file.write_text(recipe_file.read_text() + more)
    assert load_recipe(recipe_file, registry).warnings == ()


def test_a_mistake_shows_its_line_and_a_caret() -> None:
    """As compilers do: place and sentence, then the line, then a caret under the place, also where a line has tabs."""
    one = Mistake("r.toml", 3, 6, "a.b", "expected 1", None, "\tb = 'é'")
    assert str(one) == "r.toml:3:6: a.b: expected 1\n        b = 'é'\n            ^"
    assert str(Mistake("--set a=1", 0, 0, "a", "no")) == "--set a=1: a: no"
    assert str(Mistake("r.toml", 1, 1, "", "missing [model]")) == "r.toml:1:1: missing [model]"


def _joins(one: str) -> bool:
    return unicodedata.category(one) in ("Mn", "Me", "Cf") or one in map(chr, range(0x1160, 0x1200))


@settings(deadline=None)
@given(st.text(st.characters(exclude_characters="\n"), max_size=300), st.integers(1, 301))
@example("\u1112\u1161\u11ab = 'x\ufe0f' 日 = 3", 11)
def test_the_caret_stands_under_the_place(source: str, column: int) -> None:
    """Whatever a line holds, it is shown within 160 columns with the caret under the character meant."""
    column = min(column, len(source) + 1)
    excerpt = Mistake("r.toml", 1, column, "", "no", None, source).excerpt
    if not source.strip():
        assert not excerpt
        return
    line, caret = excerpt.split("\n")
    assert caret.strip() == "^"
    stands: dict[int, str] = {}
    at = 0
    for shown in line:
        if not _joins(shown):
            stands[at] = shown
            at += 1 + (unicodedata.east_asian_width(shown) in "WF")
    assert at <= 4 + 160
    meant = source[column - 1 : column]
    if meant.isprintable() and not _joins(meant or "x"):
        assert stands.get(caret.index("^"), "") == meant


def test_problems_keep_what_they_know() -> None:
    """Seen from an outer table a problem is the same."""
    one = Problem(("a",), "no", on_key=True, suggestion="b", missing=True).under("t", 1)
    assert (one.path, one.message, one.on_key, one.suggestion, one.missing) == (("t", 1, "a"), "no", True, "b", True)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        (("frontend.hop_seconds=0.03",), "frontend.hop_seconds"),
        (("frontend.hop_seconds=0.03", "detector.hop_seconds=0.1"), "detector.hop_seconds"),
        (("frontend.frame_seconds=0.9",), "window.seconds"),
        (("model={type = 'crnn', scores = 'frame'}",), "loss.type"),
    ],
)
def test_what_does_not_fit_is_placed_where_it_was_written(
    recipe_file: Path, registry: Registry, changes: tuple[str, ...], path: str
) -> None:
    """Of two values that do not fit each other, the one that the recipe has, where the other is a default."""
    recipe = load_recipe(recipe_file, registry, changes=changes)
    with pytest.raises(RecipeError) as caught:
        all_geometries(recipe)
    (one,) = caught.value.mistakes
    assert one.path == path


def test_a_file_that_is_no_recipe_is_refused_at_once(recipe_file: Path, registry: Registry) -> None:
    """A megabyte of anything is not looked through line by line."""
    recipe_file.write_bytes(bytes(range(256)) * 4000)
    begun = time.process_time()
    assert len(mistakes(recipe_file, registry)) <= 40
    assert time.process_time() - begun < 2


def test_check_says_it_in_json(recipe_file: Path, typed: Typed) -> None:
    """One document on stdout, right or wrong, with the exit code of the text; a lost recipe and plugins too."""
    answer = typed("check", recipe_file, "--format", "json")
    told = json.loads(answer.out)
    assert (answer.code, told["ok"], told["mistakes"], told["variants"]) == (0, True, [], [])
    assert told["components"]["metrics.roc"] == "roc-auc"
    recipe_file.write_text(recipe_file.read_text().replace("channels = 8", "chanels = 8"))
    answer = typed("check", recipe_file, "--format", "json")
    told = json.loads(answer.out)
    assert (answer.code, told["ok"]) == (2, False)
    assert told["mistakes"] == [
        {
            "file": str(recipe_file),
            "line": 34,
            "column": 1,
            "path": "model.chanels",
            "message": "unknown option 'chanels' of ds-cnn (did you mean 'channels'?)",
            "suggestion": "channels",
            "source": "chanels = 8",
        }
    ]
    assert answer.err == ""
    gone = typed("check", recipe_file.with_name("gone.toml"), "--format", "json")
    assert gone.code == 2
    assert json.loads(gone.out)["mistakes"][0]["message"].startswith("cannot read recipe")
    plugin = typed("check", "wakekit:quickstart", "--set", "loss=nowhere:focal", "--format", "json")
    assert plugin.code == 3
    assert json.loads(plugin.out)["mistakes"][0]["path"] == "loss.type"
    misfit = typed("check", "wakekit:quickstart", "--set", "detector.hop_seconds=0.013", "--format", "json")
    assert misfit.code == 2
    assert json.loads(misfit.out)["mistakes"][0]["path"] == "detector.hop_seconds"


def test_check_shows_lines_and_prints_warnings_aside(recipe_file: Path, typed: Typed) -> None:
    """Mistakes with their lines and warnings go to stderr, what is right to stdout."""
    plain = recipe_file.read_text()
    recipe_file.write_text(plain.replace("channels = 8", "chanels = 8"))
    answer = typed("check", recipe_file)
    assert answer.err.splitlines()[1:] == ["    chanels = 8", "    ^"]
    recipe_file.write_text(f"{plain}[vars]\nlong = 1\n")
    answer = typed("check", recipe_file)
    assert answer.err.startswith(f"warning: {recipe_file}:")
    assert "warning" not in answer.out


def test_places_are_looked_up_once_per_text(
    recipe_file: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipe with many mistakes is not parsed once for each."""
    from wakekit import positions  # noqa: PLC0415

    count = 0
    root = positions._root

    def counted(text: str) -> object:
        nonlocal count
        count += 1
        return root(text)

    monkeypatch.setattr(positions, "_root", counted)
    recipe_file.write_text(recipe_file.read_text() + "".join(f"x{number} = 1\n" for number in range(200)))
    assert len(mistakes(recipe_file, registry)) >= 200
    assert count == 1


def test_layers_keep_their_first_order(recipe_file: Path) -> None:
    """What could be read is there beside what was wrong, for whoever wants to go on with it."""
    recipe_file.write_text(recipe_file.read_text() + "\nx = = 1\n[callbacks.e]\ntype = 'ema'\n")
    merged = read_layers(recipe_file)
    assert merged.partial
    assert [one.line for one in merged.found] == [recipe_file.read_text().split("\n").index("x = = 1") + 1]
    assert merged.table["callbacks"] == {"e": {"type": "ema"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("METRICS = 3", "unknown key 'METRICS' (did you mean 'metrics'?)"),
        ("optimizer.LR = 3", "unknown option 'LR' of adamw (did you mean 'lr'?)"),
        ('metrics.x = "EER"', "unknown metric 'EER' (did you mean 'eer'?)"),
        ('"optimizer.lr" = 3', "unknown key 'optimizer.lr' (write it without quotes: optimizer.lr)"),
        ("n_mels = 3", "unknown key 'n_mels' (did you mean 'name'? 'n_mels' belongs in [frontend])"),
        ("optimizer.epochs = 3", "unknown option 'epochs' of adamw (did you mean 'eps'? 'epochs' belongs in [train])"),
        ('metrics.x.tipe = "eer"', "unknown option 'tipe' (did you mean 'type'?)"),
        ("metrics.eer.typo = 3", "unknown option 'typo' of eer (it has no options)"),
        ("wakekit = 2", "expected 1, got 2"),
        ('detector = "none"', "unknown detector 'none' (it is a calibrator, a report and a normalizer)"),
        ("optimizer = { lr = 1e-3,\n}", "not valid TOML: a table in braces stands on one line"),
        ("optimizer = { lr = 1e-3, }", "not valid TOML: a table in braces has no comma before its end"),
    ],
)
def test_what_may_have_been_meant(recipe_file: Path, registry: Registry, text: str, words: str) -> None:
    """Capitals, quotes, other tables, and TOML that looks as if it were right."""
    child = recipe_file.with_name("child.toml")
    child.write_text(f'extends = ["wakekit:quickstart"]\n{text}\n')
    assert messages(child, registry)[0].startswith(words)


def test_an_empty_keyword_is_told_beside_other_mistakes(recipe_file: Path, registry: Registry) -> None:
    """Both are of the corpus."""
    found = mistakes(recipe_file, registry, "corpus.keyword=' '", "corpus.foo=1")
    assert sorted(path for *_, path in found) == ["corpus.foo", "corpus.keyword"]


def test_an_excerpt_fits_in_its_columns() -> None:
    """Wide characters count twice; the caret stays under the place."""
    source = f"{'日' * 30} = [{'0, ' * 40}]"
    for columns in (30, 60, 100):
        for column in (1, 20, 80, len(source)):
            line, caret = Mistake("r.toml", 1, column, "", "no", None, source).excerpt_within(columns).split("\n")
            widths = [1 + (unicodedata.east_asian_width(one) in "WF") for one in line]
            assert sum(widths) <= columns
            at = next(number for number in range(len(line) + 1) if sum(widths[:number]) == caret.index("^"))
            assert line[at] == source[column - 1]
