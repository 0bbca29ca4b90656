"""The rounds of hard-negative mining: one after every pass but the last."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from wakekit import ExtraRows, Hooks, TrainingState, WakekitError
from wakekit_training.mining.choosing import BoolArray, FloatArray, IntArray, choose, near
from wakekit_training.mining.ground import Ground, described, survey
from wakekit_training.mining.hunting import Candidates, Grid, hunt, keyword_scores
from wakekit_training.mining.review import read_confirmed, write_excerpt, write_review

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit_training.hard_negative_mining import HardNegativeMining

_NAME = "hard-negative-mining"


class Mining(Hooks):
    """The hooks of `hard-negative-mining`: what they remember is what was mined, suspected and listed."""

    def __init__(self, options: HardNegativeMining) -> None:
        self.options = options
        nothing = np.zeros(0, dtype=np.int64)
        self.mined, self.suspects, self.reviewed, self.confirmed = nothing, nothing, nothing, nothing
        self.contents: list[str] = []
        self.limit = math.inf
        self.review: list[dict[str, Any]] = []
        self.ground: Ground
        self.grid: Grid

    def fit_started(self, state: TrainingState) -> None:
        """Look over the train split, once."""
        if state.passes < 2:  # noqa: PLR2004
            raise WakekitError(f"{_NAME} needs a second pass to train on what it finds: set train.passes to 2 or more")
        self.grid = self._grid(state)
        self.ground = survey(state.audio, self.options.pools)
        if not self.ground.rows and not state.step:
            pools = ", ".join(self.options.pools) or "none"
            state.warn(f"{_NAME}: the train split has no streams and no clips to mine (pools: {pools})")
        if self.options.confirmed is not None:
            names = read_confirmed(self.options.confirmed)
            self.confirmed = self.ground.places(names, state.window, state.audio.sample_rate)
            if len(self.confirmed) < len(names) and not state.step:
                state.warn(
                    f"{_NAME}: {len(names) - len(self.confirmed)} of the {len(names)} lines of "
                    f"{self.options.confirmed} are of audio that is not searched here"
                )

    def _grid(self, state: TrainingState) -> Grid:
        options, rate = self.options, state.audio.sample_rate
        hop, frame_hop = round(options.hop_seconds * rate), state.network().frame_hop
        if hop < frame_hop or hop % frame_hop:
            raise WakekitError(
                f"{_NAME}: hop_seconds is {options.hop_seconds:g} s, which is no multiple of the frontend's hop, "
                f"{frame_hop / rate:g} s; make it one"
            )
        return Grid(
            window=state.window,
            hop=hop,
            jitter=round(options.jitter_seconds * rate),
            margin=round(options.margin_seconds * rate),
            apart=round(options.suppress_seconds * rate),
            least=options.min_score,
        )

    def pass_ended(self, state: TrainingState) -> None:
        """Search with the network of this pass, list what is suspect, and add the best of the rest."""
        if state.pass_number == state.passes - 1:
            return
        state.restart |= self.options.restart
        if not self.ground.rows:
            return
        network = state.network()
        found = hunt(network, state.audio, self.ground, self.grid)
        suspect, free = self._sorted_out(found, keyword_scores(network, state.audio, self.grid))
        listed = self._list(state, found.at(np.flatnonzero(suspect)))
        mined = self._mine(state, found.at(np.flatnonzero(free)))
        for line, count in (("candidates", len(found.score)), ("mined", mined), ("suspects", int(suspect.sum()))):
            place = {"x": state.pass_number + 1, "x_label": "pass", "y_label": "windows"}
            state.record({"series": _NAME, "line": line, "y": count, **place})
        if listed:
            state.warn(_to_review(listed, int(suspect.sum()), len(found.score)))
        if not mined:
            state.warn(
                f"{_NAME}: nothing to mine after pass {state.pass_number + 1}: no window of the train split that is "
                f"new and not suspect has log-odds of {self.options.min_score:g} or more"
            )

    def _sorted_out(self, found: Candidates, keywords: FloatArray) -> tuple[BoolArray, BoolArray]:
        """Return two bool [n]: which candidates are suspect, and which touch nothing that is."""
        places, reach = self._places(found), self.grid.window // 2
        if len(keywords):
            self.limit = float(np.quantile(keywords, self.options.suspect_quantile))
        confirmed = near(places, self.confirmed, reach)
        suspect = (found.score > self.limit) | self.ground.disputed[found.recording]
        # Only a person clears what was suspect once: the network changes, the word stays.
        suspect = (suspect | near(places, self.suspects, reach)) & ~confirmed
        self.suspects = np.union1d(self.suspects, places[suspect])
        touches = near(places, self.suspects, self.grid.window + self.grid.jitter)
        return suspect, ~suspect & (confirmed | ~touches)

    def _list(self, state: TrainingState, found: Candidates) -> int:
        """Put suspects that are not on it yet on the review list, with something to listen to; return how many."""
        places, sources = self._places(found), self.ground.source[found.recording]
        most = self.options.review
        chosen = choose(places, sources, taken=self.reviewed, apart=self.grid.apart, quota=most, most=most)
        self.reviewed = np.concatenate([self.reviewed, places[chosen]])
        for recording, start, score in _items(found.at(chosen)):
            row = self._row(state, recording, start, score)
            row |= {"keyword_score": self.limit, "quantile": self.options.suspect_quantile}
            row |= {"same_audio_as_keyword": bool(self.ground.disputed[recording])}
            place = self.ground.place[[recording]] + start
            row |= {"mined_before": bool(near(place, self.mined, self.grid.apart)[0])}
            row["listen"] = f"review/{row['id']}.flac"
            write_excerpt(
                state.folder / row["listen"],
                self.ground.samples(state.audio, recording),
                start=start,
                window=self.grid.window,
                rate=state.audio.sample_rate,
            )
            self.review.append(row)
        if len(chosen):
            write_review(state.folder, self.review)
        return len(chosen)

    def _mine(self, state: TrainingState, found: Candidates) -> int:
        """Add the best as rows and return how many."""
        options, ground = self.options, self.ground
        places, sources = self._places(found), ground.source[found.recording]
        limits = {"apart": self.grid.apart, "quota": options.per_source, "most": options.rows}
        chosen = choose(places, sources, taken=self.mined, **limits)
        kept, provenance = [], []
        for index, (recording, start, score) in zip(chosen.tolist(), _items(found.at(chosen)), strict=True):
            content = self._content(state, recording, start)
            if content not in self.contents:
                self.contents.append(content)
                kept.append(index)
                row = self._row(state, recording, start, score)
                provenance.append({"rank": len(kept), **row, "sha256": content})
        self.mined = np.concatenate([self.mined, places[kept]])
        if kept:
            best = found.at(np.array(kept))
            low = torch.from_numpy(ground.low[best.recording])
            first = low + torch.from_numpy(best.start) - self.grid.jitter
            slack = torch.full_like(low, 2 * self.grid.jitter)
            high = low + torch.from_numpy(ground.length[best.recording])
            state.add_rows(ExtraRows(start=first, slack=slack, low=low, high=high, provenance=tuple(provenance)))
        return len(kept)

    def _places(self, found: Candidates) -> IntArray:
        places: IntArray = self.ground.place[found.recording] + found.start
        return places

    def _row(self, state: TrainingState, recording: int, start: int, score: float) -> dict[str, Any]:
        window, rate = self.grid.window, state.audio.sample_rate
        where = described(
            self.ground.rows[recording],
            start=start,
            length=int(self.ground.length[recording]),
            window=window,
            rate=rate,
        )
        name = self.ground.name(recording, start + window, rate)
        return {"id": name, "pass": state.pass_number + 1, **where, "score": score}

    def _content(self, state: TrainingState, recording: int, start: int) -> str:
        samples = self.ground.samples(state.audio, recording)
        piece = samples[max(0, start) : max(0, start + self.grid.window)]
        return hashlib.sha256(piece.cpu().numpy().tobytes()).hexdigest()

    def state_dict(self) -> Mapping[str, Any]:
        """Return what was mined and listed."""
        places = {name: torch.from_numpy(getattr(self, name)) for name in ("mined", "suspects", "reviewed")}
        return {**places, "contents": self.contents, "review": self.review}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.mined, self.suspects, self.reviewed = (state[name].numpy() for name in ("mined", "suspects", "reviewed"))
        self.contents, self.review = list(state["contents"]), list(state["review"])


def _items(found: Candidates) -> list[tuple[int, int, float]]:
    return list(zip(found.recording.tolist(), found.start.tolist(), found.score.tolist(), strict=True))


def _to_review(listed: int, suspects: int, candidates: int) -> str:
    short = ""
    if suspects > candidates / 2:
        short = "; they are most of what was found, so the pass may be too short to tell the keyword"
    return (
        f"{_NAME}: {listed} windows of negative audio score like the keyword and are not mined{short}: listen to "
        "training/review, and give the lines of training/review.jsonl that are not the keyword as the option confirmed"
    )
