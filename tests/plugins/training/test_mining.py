"""Hard-negative mining round by round, with a network whose score is how loud a window is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from wakekit import Clip, Event, ExtraRows, Stream, TrainingState, WakekitError
from wakekit.batch import gather
from wakekit.prepared import Placed, SplitAudio
from wakekit.tree import load_tree, save_tree
from wakekit_training.hard_negative_mining import HardNegativeMining
from wakekit_training.mining.ground import survey

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE, WINDOW, HOP = 1000, 100, 10
QUIET = -5.0


class Loudness(nn.Module):
    """A network that gives a burst of level L, heard whole, the log-odds L / 100 - 5."""

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.sample_rate, self.frame_hop, self.window, self.context = RATE, HOP, WINDOW, 0

    def score_windows(self, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds of every window."""
        return audio.unfold(1, WINDOW, hop).abs().mean(dim=2) * 327.68 * self.gain + QUIET


def sound(length: int, bursts: Mapping[int, float]) -> np.ndarray:
    """Return silence with a burst of a window's length at each place, by the score it shall get."""
    rng = np.random.default_rng(length)
    samples = np.zeros(length)
    for start, score in bursts.items():
        samples[start : start + WINDOW] = (score - QUIET) * 100 * rng.choice([-1, 1], WINDOW)
    return samples.astype(np.int16)


def corpus(
    clips: Sequence[tuple[Clip, np.ndarray]] = (), streams: Sequence[tuple[Stream, np.ndarray]] = ()
) -> SplitAudio:
    """Return a train split; a keyword clip scores 2, 4, 6 and 8 where none is given."""
    if not any(clip.pool == "positive" for clip, _ in clips):
        clips = [*((clip("positive", f"p{k}"), sound(WINDOW, {0: k})) for k in (2, 4, 6, 8)), *clips]
    parts = [samples for _, samples in (*clips, *streams)]
    lengths = torch.tensor([len(part) for part in parts])
    starts = torch.cumsum(lengths, 0) - lengths
    count = len(clips)
    nothing = torch.zeros(0, dtype=torch.int64)
    return SplitAudio(
        name="train",
        keyword="nova",
        sample_rate=RATE,
        audio=torch.from_numpy(np.concatenate(parts)),
        clips=Placed(tuple(row for row, _ in clips), starts[:count], lengths[:count]),
        streams=Placed(tuple(row for row, _ in streams), starts[count:], lengths[count:]),
        impulse_responses=Placed((), nothing, nothing),
    )


def clip(pool: str, name: str, **more: Any) -> Clip:
    """Return a clip."""
    label = "nova" if pool == "positive" else "speech"
    return Clip(audio=Path(f"/{name}.wav"), duration=1, label=label, pool=pool, **{"sha256": f"{name}-sha"} | more)


def stream(name: str, **more: Any) -> Stream:
    """Return a stream."""
    return Stream(audio=Path(f"/{name}.wav"), duration=9, **{"sha256": f"{name}-sha"} | more)


@attrs.define
class Heard:
    """What a callback said and added."""

    rows: list[ExtraRows] = attrs.field(factory=list)
    warnings: list[str] = attrs.field(factory=list)
    history: list[Mapping[str, Any]] = attrs.field(factory=list)

    def mined(self, of: int = -1) -> list[tuple[str, float]]:
        """Return file and second of the rows added last."""
        return [(row["source"], row["seconds"]) for row in self.rows[of].provenance]


def training(split: SplitAudio, folder: Path, *, passes: int = 3, gain: float = 1.0) -> tuple[TrainingState, Heard]:
    """Return the state of a training that only records."""
    heard, model = Heard(), nn.Linear(1, 1)
    state = TrainingState(
        model=model,
        optimizer=torch.optim.SGD(model.parameters()),
        evaluated=model,
        passes=passes,
        epochs=1,
        steps=1,
        window=WINDOW,
        audio=split,
        folder=folder,
        record=heard.history.append,
        note=heard.warnings.append,
        warn=heard.warnings.append,
        rehearse=None,  # type: ignore[arg-type]
        network=lambda: Loudness(gain),  # type: ignore[arg-type,return-value]
        add_rows=heard.rows.append,
    )
    return state, heard


def component(**options: Any) -> HardNegativeMining:
    """Return the component in samples of 1 ms."""
    return HardNegativeMining(**{"hop_seconds": 0.01, "suppress_seconds": 0.1, "jitter_seconds": 0.02} | options)


def one_round(split: SplitAudio, folder: Path, **options: Any) -> Heard:
    """Mine after the first pass."""
    state, heard = training(split, folder)
    hooks = component(**options).build()
    hooks.fit_started(state)
    hooks.pass_ended(state)
    return heard


def test_a_mined_row_covers_what_was_heard(tmp_path: Path) -> None:
    """Rows point at the windows found, with the jitter around them, and say where in which file they come from."""
    cut = clip("negative", "n", offset=7.0, source="long.wav", speaker="s1")
    split = corpus([(clip("positive", "p"), sound(WINDOW, {0: 9})), (cut, sound(400, {120: 1.5}))],
                   [(stream("s"), sound(2000, {500: 2.5, 1200: -1.5, 1500: -2.5}))])  # fmt: skip
    heard = one_round(split, tmp_path)
    (rows,) = heard.rows
    assert (rows.label, rows.pool) == (0, "hard")
    assert [(row["source"], row["seconds"], row["kind"], row["speaker"]) for row in rows.provenance] == [
        ("/s.wav", 0.5, "stream", None), ("/n.wav", 7.12, "clip", "s1"), ("/s.wav", 1.2, "stream", None)
    ]  # fmt: skip
    assert [row["rank"] for row in rows.provenance] == [1, 2, 3]
    assert [row["pass"] for row in rows.provenance] == [1, 1, 1]
    for index, row in enumerate(rows.provenance):
        middle = rows.start[index] + rows.slack[index] // 2
        window = gather(split.audio, middle[None], rows.low[[index]], rows.high[[index]], WINDOW)
        assert Loudness().score_windows(window, HOP).item() == pytest.approx(row["score"], abs=1e-5)
    assert rows.slack.tolist() == [40, 40, 40]
    assert (rows.high - rows.low).tolist() == [2000, 400, 2000]
    counted = {row["line"]: (row["x"], row["y"]) for row in heard.history}
    assert counted == {"candidates": (1, 3), "mined": (1, 3), "suspects": (1, 0)}


def test_scores_at_the_edge_of_a_clip(tmp_path: Path) -> None:
    """A clip shorter than the window is heard as if after silence, and told as the part of it that there is."""
    heard = one_round(corpus([(clip("background", "b"), sound(WINDOW, {0: 8})[:60])]), tmp_path)
    ((row,),) = (rows.provenance for rows in heard.rows)
    assert (row["seconds"], row["duration"]) == (0.0, 0.06)
    assert int(heard.rows[0].start) == int(heard.rows[0].low) + 60 - WINDOW - 20


def test_quotas_per_source_and_pass(tmp_path: Path) -> None:
    """Clips of one recording share its quota, and the highest of all sources are taken first."""
    clips = [(clip("negative", f"n{k}", source="one"), sound(300, {100: 1 + k / 10})) for k in range(4)]
    lone = (clip("hard", "lone"), sound(300, {100: 0.5}))
    far = (stream("s"), sound(1500, {300: 0.6, 600: 0.7, 900: 0.8}))
    split = corpus([*clips, lone], [far])
    heard = one_round(split, tmp_path, per_source=2)
    assert [name for name, _ in heard.mined()] == ["/n3.wav", "/n2.wav", "/s.wav", "/s.wav", "/lone.wav"]
    heard = one_round(split, tmp_path, per_source=2, rows=3)
    assert [name for name, _ in heard.mined()] == ["/n3.wav", "/n2.wav", "/s.wav"]
    heard = one_round(split, tmp_path, pools=("hard",))
    assert {name for name, _ in heard.mined()} == {"/s.wav", "/lone.wav"}


def test_a_place_is_mined_once(tmp_path: Path) -> None:
    """T17: what an earlier pass mined, overlapping clips and identical audio give no second row."""
    same = sound(300, {100: 1.0})
    clips = [
        (clip("negative", "a", sha256="equal"), same), (clip("negative", "b", sha256="equal"), same),
        (clip("negative", "c"), same),
        (clip("negative", "d"), sound(300, {100: 1.5})),
        (clip("negative", "d", offset=0.05, sha256="other"), sound(300, {100: 1.5})[50:]),
    ]  # fmt: skip
    state, heard = training(corpus(clips), tmp_path)
    hooks = component().build()
    hooks.fit_started(state)
    hooks.pass_ended(state)
    assert sorted(name for name, _ in heard.mined()) == ["/a.wav", "/d.wav"]
    assert [row.audio.stem for row in survey(state.audio, ("negative",)).rows] == ["a", "c", "d", "d"]
    state.pass_number = 1
    hooks.pass_ended(state)
    assert len(heard.rows) == 1
    assert "nothing to mine after pass 2" in heard.warnings[-1]
    state.pass_number = 2
    before = len(heard.history)
    hooks.pass_ended(state)
    assert len(heard.history) == before


def test_suspects_are_listed_and_not_mined(tmp_path: Path) -> None:
    """T17: what scores like the keyword, and what touches it, waits for a person, who can hear it."""
    # The quantile of 2, 4, 6 and 8 at a quarter is 3.5.
    split = corpus(streams=[(stream("s"), sound(3000, {500: 3.6, 610: 3.0, 1200: 3.4, 2000: 8.0}))])
    heard = one_round(split, tmp_path)
    assert heard.mined() == [("/s.wav", 1.2)]
    listed = [json.loads(line) for line in (tmp_path / "review.jsonl").read_text().splitlines()]
    assert [(row["source"], row["seconds"], row["duration"]) for row in listed] == [
        ("/s.wav", 2.0, 0.1), ("/s.wav", 0.5, 0.1)
    ]  # fmt: skip
    assert listed[0]["score"] == pytest.approx(8.0, abs=1e-4)
    assert [row["keyword_score"] for row in listed] == pytest.approx([3.5, 3.5], abs=1e-4)
    heard_again, rate = soundfile.read(tmp_path / listed[1]["listen"], dtype="int16")
    assert rate == RATE
    np.testing.assert_array_equal(heard_again, split.samples(400, 1100).numpy())
    (sentence,) = heard.warnings
    assert "2 windows of negative audio score like the keyword" in sentence
    assert "training/review" in sentence
    assert heard.history[-1]["y"] == 2


@pytest.mark.parametrize(("quantile", "limit"), [(0.0, 2.0), (0.5, 5.0), (1.0, 8.0)])
def test_the_quantile_is_that_of_the_keyword_clips(quantile: float, limit: float, tmp_path: Path) -> None:
    """Only windows above the stated quantile of the train keywords' own scores are suspect."""
    scores = {300 * k: limit + (k - 4) / 10 for k in range(1, 8)}
    heard = one_round(corpus(streams=[(stream("s"), sound(2600, scores))]), tmp_path, suspect_quantile=quantile)
    assert len(heard.mined()) in (3, 4)
    assert max(row["score"] for row in heard.rows[0].provenance) <= limit + 1e-4
    assert len((tmp_path / "review.jsonl").read_text().splitlines()) in (3, 4)


def test_a_suspect_stays_one(tmp_path: Path) -> None:
    """A later network that scores it lower does not clear it, and it is listed once."""
    split = corpus(streams=[(stream("s"), sound(2000, {500: 7.0, 1200: 1.0}))])
    state, heard = training(split, tmp_path)
    hooks = component().build()
    hooks.fit_started(state)
    hooks.pass_ended(state)
    state.pass_number = 1
    state.network = lambda: Loudness(0.6)  # type: ignore[assignment,return-value]
    state.audio.audio[:400] *= 4
    hooks.pass_ended(state)
    assert [row for rows in heard.rows for row in rows.provenance if row["seconds"] < 1] == []
    assert len((tmp_path / "review.jsonl").read_text().splitlines()) == 1


def test_what_a_person_confirmed_is_mined(tmp_path: Path) -> None:
    """Lines of the review list that are given back may be mined; the others stay where they are."""
    split = corpus(streams=[(stream("s"), sound(3000, {500: 7.0, 610: 6.0, 2000: 5.0}))])
    one_round(split, tmp_path)
    lines = (tmp_path / "review.jsonl").read_text().splitlines()
    (tmp_path / "mine.jsonl").write_text("\n".join([*lines[1:], '{"id": "ffff-00000100"}']))
    again = tmp_path / "again"
    again.mkdir()
    heard = one_round(split, again, confirmed=tmp_path / "mine.jsonl")
    assert heard.mined() == [("/s.wav", 0.61), ("/s.wav", 2.0)]
    assert [json.loads(line)["seconds"] for line in (again / "review.jsonl").read_text().splitlines()] == [0.5]
    assert "1 of the 3 lines" in heard.warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", r"mine\.jsonl:1: expected a line of review\.jsonl"), ('\n{"x": 1}', r":2: expected"), (None, "cannot read")],
)
def test_a_broken_list_of_confirmed_ones(text: str | None, message: str, tmp_path: Path) -> None:
    """A file that is no review list is refused with its line before any training."""
    path = tmp_path / "mine.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(WakekitError, match=message):
        one_round(corpus(), tmp_path, confirmed=path)


def test_audio_that_is_also_a_keyword_is_suspect(tmp_path: Path) -> None:
    """T17: a negative clip with the very audio of a keyword clip is never mined, whatever it scores."""
    quiet = sound(WINDOW, {0: 1.0})
    clips = [(clip("positive", "p", sha256="both"), quiet), (clip("positive", "q"), sound(WINDOW, {0: 9.0})),
             (clip("negative", "n", sha256="both"), quiet)]  # fmt: skip
    heard = one_round(corpus(clips), tmp_path, suspect_quantile=1.0)
    assert heard.rows == []
    (row,) = map(json.loads, (tmp_path / "review.jsonl").read_text().splitlines())
    assert row["same_audio_as_keyword"]


def test_keywords_of_streams_are_left_out(tmp_path: Path) -> None:
    """What is labelled as the keyword in a stream is neither mined nor suspect; other labels are."""
    events = (Event(start=0.5, end=0.6, label="nova"), Event(start=1.2, end=1.3, label="other"))
    split = corpus(streams=[(stream("s", events=events), sound(2000, {500: 3.0, 1200: 3.0}))])
    heard = one_round(split, tmp_path, margin_seconds=0.05)
    assert heard.mined() == [("/s.wav", 1.2)]
    assert heard.warnings == []


def test_it_goes_on_after_a_kill(tmp_path: Path) -> None:
    """What was mined, suspected and listed comes back through the state: the next round is the same."""
    samples = sound(4000, {500: 7.0, 1200: 1.0, 2000: 0.5, 2500: 0.4, 3400: 0.2})
    samples[3000 : 3000 + WINDOW] = samples[1200 : 1200 + WINDOW]
    outcomes = []
    for name, killed in (("whole", False), ("cut", True)):
        (tmp_path / name).mkdir()
        state, heard = training(corpus(streams=[(stream("s"), samples.copy())]), tmp_path / name)
        hooks = component(rows=3).build()
        hooks.fit_started(state)
        hooks.pass_ended(state)
        if killed:
            save_tree(tmp_path / "checkpoint", hooks.state_dict())
            kept = load_tree(tmp_path / "checkpoint")
            state.step, hooks = 1, component(rows=3).build()
            hooks.fit_started(state)
            hooks.load_state_dict(kept)
        state.pass_number = 1
        # Now it scores like the keyword.
        state.audio.audio[-600 - WINDOW :] *= 2
        hooks.pass_ended(state)
        listed = (tmp_path / name / "review.jsonl").read_text()
        outcomes.append(([rows.provenance for rows in heard.rows], listed, heard.warnings))
    assert outcomes[0] == outcomes[1]
    assert [[row["seconds"] for row in rows] for rows in outcomes[0][0]] == [[1.2, 2.0], [2.5]]
    assert [json.loads(line)["seconds"] for line in outcomes[0][1].splitlines()] == [0.5, 3.4]


def test_it_needs_a_second_pass(tmp_path: Path) -> None:
    """With one pass there is nobody to train on what was found, and it says so."""
    state, _ = training(corpus(), tmp_path, passes=1)
    with pytest.raises(WakekitError, match=r"set train\.passes to 2 or more"):
        component().build().fit_started(state)


def test_a_hop_that_does_not_fit(tmp_path: Path) -> None:
    """The hop must be a multiple of the frontend's."""
    with pytest.raises(WakekitError, match=r"hop_seconds is 0\.015 s, which is no multiple"):
        one_round(corpus(), tmp_path, hop_seconds=0.015)


def test_nothing_to_mine_is_said(tmp_path: Path) -> None:
    """A train split without other audio, or one that fools nobody, is no error."""
    heard = one_round(corpus(), tmp_path)
    assert heard.warnings == [
        "hard-negative-mining: the train split has no streams and no clips to mine (pools: negative, hard, background)"
    ]
    heard = one_round(corpus([(clip("negative", "n"), sound(300, {100: -3}))]), tmp_path)
    assert heard.rows == []
    assert "no window of the train split that is new and not suspect has log-odds of -2 or more" in heard.warnings[0]


def test_fresh_weights_on_demand(tmp_path: Path) -> None:
    """With `restart` every further pass begins from the first weights; without it another's wish stands."""
    for option in (False, True):
        state, _ = training(corpus(), tmp_path)
        hooks = component(restart=option).build()
        hooks.fit_started(state)
        hooks.pass_ended(state)
        assert state.restart is option
    state, _ = training(corpus(), tmp_path)
    state.restart = True
    hooks = component().build()
    hooks.fit_started(state)
    hooks.pass_ended(state)
    assert state.restart


def test_unknown_pools_are_refused() -> None:
    """The keyword's pool cannot be mined."""
    with pytest.raises(ValueError, match="pools: expected some of 'negative', 'hard', 'background', got 'positive'"):
        HardNegativeMining(pools=("negative", "positive"))


def test_a_name_leads_back_to_its_window() -> None:
    """The id of a window gives its place again, to the millisecond, at any rate."""
    ground = survey(
        corpus([(clip("negative", "n", offset=3.0), sound(500, {}))], [(stream("s"), sound(700, {}))]), ("negative",)
    )
    for recording in (0, 1):
        for start in (-40, 0, 333):
            name = ground.name(recording, start + WINDOW, RATE)
            assert ground.places([name, "0-x", "nonsense"], WINDOW, RATE).tolist() == [ground.place[recording] + start]
