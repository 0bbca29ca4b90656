"""Recipes in an editor: tools for TOML that know nothing of wakekit read the schema that the recipes name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.support import add_plugin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support import Typed

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "recipes" / "schema.json"
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))

WHOLE = """
[corpus]
type = "espeak"
keyword = "hey nova"

[frontend]
type = "log-mel"

[model]
type = "ds-cnn"

[loss]
type = "cross-entropy"

[optimizer]
type = "adamw"

[detector]
type = "vote"

[operating_point]
fa_per_hour = 6
"""
CHILD = 'extends = ["wakekit:quickstart"]\n'

# By what is wrong: the recipe, "<- TEXT" on its wrong line; TEXT is where the underline of an editor begins.
WRONG = {
    "misspelt option": WHOLE + '[normalizer]\ntype = "cmvn"\nesp = 0.1  # <- esp\n',
    "misspelt option of an inline table": 'normalizer = { type = "cmvn", esp = 0.1 }  # <- esp\n' + WHOLE,
    "misspelt option below an id": WHOLE + '[metrics.p]\ntype = "pauc"\nmaxfpr = 0.1  # <- maxfpr\n',
    "misspelt option in a child": CHILD + "[optimizer]\nlearning_rate = 1  # <- learning_rate\n",
    "misspelt option of a type in a child": CHILD + '[model]\ntype = "tc-resnet"\ntau = 1.0  # <- tau\n',
    "misspelt option of the trainer": CHILD + "[train]\nepoch = 3  # <- epoch\n",
    "misspelt option inline in a child": CHILD + "augmentations.noise = { snr = [1, 2] }  # <- snr\n",
    "option of another component": WHOLE + '[schedule]\ntype = "cosine"\nmax_lr = 0.1  # <- max_lr\n',
    "text for a number": WHOLE + '[normalizer]\ntype = "cmvn"\neps = "small"  # <- "small"\n',
    "number for text": CHILD + "[corpus]\nkeyword = 3  # <- 3\n",
    "fraction for a whole number": CHILD + "[train]\nepochs = 1.5  # <- 1.5\n",
    "text for true or false": CHILD + '[callbacks.ema]\nwarmup = "false"  # <- "false"\n',
    "true for a number": CHILD + "[train]\nepochs = true  # <- true\n",
    "number for a list": CHILD + "[augmentations.noise]\nsnr_db = 5  # <- 5\n",
    "list too short": CHILD + "[augmentations.noise]\nsnr_db = [5]  # <- [5]\n",
    "wrong item of a list": CHILD + '[augmentations.noise]\nsnr_db = [5, "loud"]  # <- "loud"\n',
    "below the least": CHILD + "[sampler]\nbatch_size = 0  # <- 0\n",
    "at a bound that is excluded": WHOLE + '[normalizer]\ntype = "cmvn"\neps = 0  # <- 0\n',
    "above the most": CHILD + "[augmentations.noise]\nprobability = 1.5  # <- 1.5\n",
    "item of a list out of range": CHILD + '[scorer]\ntype = "tta"\nspeeds = [1.0, 3.0]  # <- 3.0\n',
    "unknown component": CHILD + '[model]\ntype = "bc-resnt"  # <- "bc-resnt"\n',
    "unknown component by name alone": CHILD + 'normalizer = "cmnv"  # <- "cmnv"\n',
    "unknown component below an id": CHILD + 'callbacks.mean = "emma"  # <- "emma"\n',
    "component of another kind": CHILD + '[loss]\ntype = "adamw"  # <- "adamw"\n',
    "unknown plugin": CHILD + 'normalizer = "acme:cmvn"  # <- "acme:cmvn"\n',
    "number for a component": CHILD + "normalizer = 3  # <- 3\n",
    "unknown table": CHILD + '[normaliser]  # <- [normaliser]\ntype = "cmvn"\n',
    "unknown key": CHILD + "sed = 1  # <- sed\n",
    "wrong choice": CHILD + 'device = "gpu"  # <- "gpu"\n',
    "wrong choice of a component": CHILD + '[callbacks.stop]\ntype = "early-stopping"\nmeasure = "eer"  # <- "eer"\n',
    "wrong choice among numbers": CHILD + '[model]\ntype = "tc-resnet"\ndepth = 9  # <- 9\n',
    "variable for what is chosen among": CHILD + '[model]\ntype = "tc-resnet"\ndepth = "eight"  # <- "eight"\n',
    "missing option": WHOLE.replace("[corpus]", "[corpus]  # <- [corpus]").replace('keyword = "hey nova"', ""),
    "missing option of a name alone": '[conditions.gsm]\naugmentations.a = "codec"  # <- "codec"\n',
    "missing type": WHOLE.replace("[model]", "[model]  # <- [model]").replace('type = "ds-cnn"', ""),
    "missing target": WHOLE.replace("[operating_point]", "[operating_point]  # <- [operating_point]").replace(
        "fa_per_hour", "level = 0.9 #"
    ),
    "missing type in a condition": "[conditions.far]\naugmentations.a = { probability = 1 }  # <- {\n",
    "misspelt key of a condition": CHILD + "[conditions.far]\nsed = 1  # <- sed\n",
    "augmentation that changes no recording": CHILD + '[conditions.x.augmentations.m]\ntype = "mixup"  # <- "mixup"\n',
    "augmentation for conditions alone": CHILD + '[augmentations.c]\ntype = "codec"  # <- "codec"\n',
    "misspelt key of the operating point": CHILD + "[operating_point]\nfa_hour = 3  # <- fa_hour\n",
    "wrong bound of the operating point": CHILD + '[operating_point]\nbound = "lower"  # <- "lower"\n',
    "search for what no detector has": CHILD + "[operating_point]\nsearch = { lockout_seconds = [1] }  # <- lockout\n",
    "search among wrong values": CHILD + "[operating_point]\nsearch = { window = [0, 3] }  # <- 0\n",
    "misspelt key of an ablation": CHILD + '[ablate]\nleaveout = ["normalizer"]  # <- leaveout\n',
    "wrong mode of an ablation": CHILD + '[ablate]\nmode = "grd"  # <- "grd"\n',
    "seeds that are no numbers": CHILD + '[ablate]\nseeds = [0, "one"]  # <- "one"\n',
    "misspelt margin": CHILD + "[ablate.margin]\nmiss = 0.1  # <- miss\n",
    "misspelt key of an axis": CHILD + '[ablate.axes.s]\nswap = "sampler"\nwit = ["shuffle"]  # <- wit\n',
    "wrong component of an axis": CHILD + '[ablate.axes.s]\nswap = "sampler"\nwith = ["cmvn"]  # <- "cmvn"\n',
    "wrong option in an axis": CHILD
    + '[ablate.axes.s]\nswap = "callbacks.ema"\nwith = [{ type = "ema", decy = 1 }]  # <- decy\n',
    "misspelt option of a variant": CHILD + "[ablate.variants.v]\ntrain.epoch = 3  # <- epoch\n",
    "misspelt table of a variant": CHILD + '[ablate.variants.v]\nnormaliser = "none"  # <- normaliser\n',
    "syntax of a later TOML": CHILD + '[normalizer]\ntype = "cm\\evn"  # <- \n',
}

ACME = """
import attrs
from wakekit import Component, hookimpl, option

@attrs.frozen
class Rasta:
    "Band-pass every band."
    pole: float = option(0.94, above=0, below=1, help="pole of the filter")

@hookimpl
def wakekit_components():
    yield Component("normalizer", "rasta", "acme:Rasta")
"""


@attrs.frozen
class Finding:
    """What a tool says of a recipe: the line from 1, what stands where it points, and its message."""

    line: int
    text: str
    message: str


Said = tuple[str, dict[str, list[Finding]]]


def tool(name: str) -> str:
    """Return the path of a tool that is installed beside Python; skip where its binary cannot run."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: pip install 'wakekit[test]'"
    try:
        subprocess.run([found, "--version"], capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the binary of {name} cannot run here: {error}")
    return found


def by_tombi(files: Sequence[Path], folder: Path) -> dict[str, list[Finding]]:
    """Return what tombi says of recipes, by path."""
    out = folder / "tombi.json"
    form = ["--quiet", "--diagnostics-format", "json", "--diagnostics-file", str(out)]
    subprocess.run([tool("tombi"), "lint", "--offline", *form, *map(str, files)], check=False, cwd=folder, timeout=120)
    found: dict[str, list[Finding]] = {}
    for said in json.loads(out.read_text()):
        path, start = (folder / said["path"]).resolve(), said["range"]["start"]
        found.setdefault(str(path), []).append(_finding(path, start["line"], start["column"], said["message"]))
    return found


def by_taplo(files: Sequence[Path], folder: Path) -> dict[str, list[Finding]]:
    """Return what taplo says of recipes, by path."""
    command = [tool("taplo"), "lint", "--colors", "never", "--no-auto-config", *map(str, files)]
    said = subprocess.run(command, check=False, cwd=folder, timeout=120, capture_output=True, text=True).stderr
    found: dict[str, list[Finding]] = {}
    for message, path, line, column in re.findall(r"^error: (.*)\n\s*┌─ (.*):(\d+):(\d+)$", said, re.MULTILINE):
        found.setdefault(path, []).append(_finding(Path(path), int(line), int(column), message))
    return found


def _finding(path: Path, line: int, column: int, message: str) -> Finding:
    return Finding(line, path.read_text().split("\n")[line - 1][column - 1 :], message)


TOOLS = {"tombi": by_tombi, "taplo": by_taplo}


@pytest.fixture(scope="module", params=TOOLS)
def said(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, list[Finding]]]:
    """What a tool says of the wrong recipes, by what is wrong."""
    folder = tmp_path_factory.mktemp(request.param)
    shutil.copy(SCHEMA, folder / "schema.json")
    files = {what: folder / f"{number}.toml" for number, what in enumerate(WRONG)}
    for what, file in files.items():
        file.write_text(f"#:schema schema.json\n{WRONG[what]}")
    found = TOOLS[request.param](list(files.values()), folder)
    return request.param, {what: found.get(str(file), []) for what, file in files.items()}


@pytest.mark.parametrize("name", TOOLS)
def test_tools_find_nothing_wrong_with_the_shipped_recipes(name: str, tmp_path: Path) -> None:
    """Every shipped recipe, each naming the schema in its first line, is right for tools that know TOML alone."""
    for recipe in RECIPES:
        first = recipe.read_text().split("\n")[0]
        assert first.startswith("#:schema "), recipe
        assert (recipe.parent / first.removeprefix("#:schema ")).resolve() == SCHEMA
    assert len(RECIPES) >= 30
    assert TOOLS[name](RECIPES, tmp_path) == {}


@pytest.mark.parametrize("what", WRONG)
def test_tools_point_at_the_wrong_key(what: str, said: Said) -> None:
    """A wrong recipe is wrong for them too, at the key or value that is wrong."""
    name, found = said
    lines = f"#:schema schema.json\n{WRONG[what]}".split("\n")
    [(line, marked)] = [(number, text) for number, text in enumerate(lines, 1) if "<- " in text]
    wanted = marked.partition("<- ")[2]
    assert any(one.line == line and one.text.startswith(wanted) for one in found[what]), found[what]
    if name == "tombi":
        assert {one.line for one in found[what]} == {line}, found[what]
    elif any("was unexpected" in one.message for one in found[what]):
        # It underlines the table around an unknown key too, and says which key it means.
        assert all(f"('{wanted.strip('[]')}" in one.message for one in found[what]), found[what]


@pytest.mark.parametrize("name", TOOLS)
def test_a_recipe_of_ones_own_beside_a_schema_of_ones_own(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: Path, typed: Typed
) -> None:
    """What the README says makes editors know other plugins' components too."""
    section = (ROOT / "recipes" / "README.md").read_text().partition("## In an editor")[2].partition("\n## ")[0]
    [command] = re.findall(r"```sh\nwakekit (.*)\n```", section)
    assert "`#:schema schema.json`" in section
    add_plugin(site, "acme", ACME)
    monkeypatch.chdir(tmp_path)
    assert typed(*command.split()).code == 0
    files = {pole: tmp_path / f"{pole}.toml" for pole in ("0.9", "1.5")}
    for pole, file in files.items():
        file.write_text(f'#:schema schema.json\n{CHILD}[normalizer]\ntype = "rasta"\npole = {pole}\n')
    found = TOOLS[name](list(files.values()), tmp_path)
    assert list(found) == [str(files["1.5"])]
    assert {finding.line for finding in found[str(files["1.5"])]} == {5}


def test_an_editor_offers_what_fits(tmp_path: Path) -> None:
    """Where a name, an option or a choice goes, a language server offers those of the component at hand."""
    shutil.copy(SCHEMA, tmp_path / "schema.json")
    offered = Editor(tmp_path).offered(
        {
            "name": CHILD + 'normalizer = "|"\n',
            "type": CHILD + '[callbacks.ema]\ntype = "|"\n',
            "option": CHILD + '[normalizer]\ntype = "running-cmvn"\n|',
            "option of a base's component": CHILD + "[frontend]\n|",
            "choice": CHILD + '[callbacks.stop]\ntype = "early-stopping"\nmeasure = "|"\n',
            "setting": CHILD + 'device = "|"\n',
            "ablation": CHILD + "[ablate]\n|",
        }
    )
    assert offered["name"] == {'"cmvn"', '"none"', '"running-cmvn"', '"utterance-cmvn"'}
    assert {'"ema"', '"early-stopping"'} <= offered["type"]
    assert '"cmvn"' not in offered["type"]
    assert offered["option"] - {"$key"} == {"window_frames", "prior_frames", "variance", "eps"}
    assert {"type", "n_mels", "n_mfcc", "gain"} <= offered["option of a base's component"]
    assert offered["choice"] == {'"dev_loss"', '"dev_eer"'}
    assert offered["setting"] == {'"auto"', '"cpu"', '"cuda"'}
    assert {"seeds", "leave_out", "axes", "margin"} <= offered["ablation"]


class Editor:
    """An editor that asks the language server of tombi what to offer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def offered(self, texts: Mapping[str, str]) -> dict[str, set[str]]:
        """Return what is offered where a bar stands in each text."""
        command = [tool("tombi"), "lsp", "--offline"]
        pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, cwd=self.folder) as self.server:
            try:
                self._asked("initialize", {"capabilities": {}})
                self._told("initialized", {})
                return {what: self._labels(what, marked) for what, marked in texts.items()}
            finally:
                self.server.kill()

    def _labels(self, what: str, marked: str) -> set[str]:
        before, _, after = f"#:schema schema.json\n{marked}".partition("|")
        document = {"uri": (self.folder / f"{what}.toml").as_uri()}
        whole = {**document, "languageId": "toml", "version": 1, "text": before + after}
        self._told("textDocument/didOpen", {"textDocument": whole})
        at = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        where = {"textDocument": document, "position": at, "context": {"triggerKind": 1}}
        # The server reads document and schema in its own time, and until then knows nothing to offer.
        for _ in range(200):
            found = self._asked("textDocument/completion", where)
            if found:
                return {one["label"] for one in (found["items"] if isinstance(found, dict) else found)}
            time.sleep(0.05)
        return set()

    def _told(self, method: str, parameters: dict[str, Any]) -> None:
        self._send({"method": method, "params": parameters})

    def _asked(self, method: str, parameters: dict[str, Any]) -> Any:
        self.count += 1
        self._send({"id": self.count, "method": method, "params": parameters})
        while True:
            answer = self._received()
            if "method" in answer and "id" in answer:
                self._send({"id": answer["id"], "result": None})
            elif answer.get("id") == self.count:
                return answer["result"]

    def _send(self, message: dict[str, Any]) -> None:
        assert self.server.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.server.stdin.flush()

    def _received(self) -> dict[str, Any]:
        assert self.server.stdout is not None
        length = 0
        while line := self.server.stdout.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        assert length, "the language server went away"
        received: dict[str, Any] = json.loads(self.server.stdout.read(length))
        return received
