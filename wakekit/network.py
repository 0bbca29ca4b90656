"""The trained network as one module: frontend, normalizer and model, from audio to log-odds.

Windows of a stream share frames: features are computed once per chunk and unfolded, which is exact because frontends
are uncentred. A normalizer of scope `corpus` or `running` runs before the unfolding; any other sees each window by
itself. What frontend and normalizer must hear before a window is its context.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wakekit.pooling import log_odds

# Hops over which the frames of a model are counted: enough for any stride to show.
_HOPS = 16
# On a CPU a batch that stays in cache is two to three times as fast as a large one.
_WINDOWS_AT_ONCE = {"cpu": 64, "cuda": 4096}


class Network(nn.Module):
    """Frontend, normalizer and model together, for windows of `window` samples, which are `window_frames` frames.

    `frame_hop` is the frontend's hop in samples; `shared` says that windows may share normalized frames. `context` is
    how many samples must come before a window, `context_frames` how many frames of them are the normalizer's.
    """

    def __init__(
        self,
        *,
        frontend: nn.Module,
        normalizer: nn.Module,
        model: nn.Module,
        window: int,
        window_frames: int,
        frame_hop: int,
        sample_rate: int,
        shared: bool,
        context: int = 0,
        context_frames: int = 0,
    ) -> None:
        super().__init__()
        self.frontend = frontend
        self.normalizer = normalizer
        self.model = model
        self.window = window
        self.window_frames = window_frames
        self.frame_hop = frame_hop
        self.sample_rate = sample_rate
        self.shared = shared
        self.context = context
        self.context_frames = context_frames
        self._added: dict[int, int] = {}

    def score_windows(self, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds float32 [B, n] of every window of `audio` [B, context + S], one each `hop` samples.

        `hop` must be a multiple of the frontend's hop. n is 0 where the audio is shorter than a window. Where the model
        gives a score per frame, a window's score is the highest of the frames that came in the last hop: what the
        model, run frame by frame, would have said since the score before.
        """
        features, step = self.frontend(audio), hop // self.frame_hop
        if features.shape[-1] < self.context_frames + self.window_frames:
            return audio.new_zeros(audio.shape[0], 0)
        if self.shared:
            features = self.normalizer(features)[..., self.context_frames :]
        windows = features.unfold(2, self.window_frames, step).transpose(1, 2)
        flat = windows.reshape(-1, *windows.shape[2:])
        scores = [self._score(part, step) for part in flat.split(_WINDOWS_AT_ONCE.get(flat.device.type, 64))]
        return torch.cat(scores).view(windows.shape[0], windows.shape[1])

    def score_each(self, windows: Tensor, hop: int) -> Tensor:
        """Return the log-odds float32 [B] of `windows` [B, context + window], each by itself.

        They are what `score_windows` gives for rows that hold one window.
        """
        features = self.frontend(windows)
        if self.shared:
            features = self.normalizer(features)[..., self.context_frames :]
        return self._score(features, hop // self.frame_hop)

    def _score(self, features: Tensor, step: int) -> Tensor:
        odds = log_odds(self.model(features if self.shared else self.normalizer(features)))
        if odds.dim() == 1:
            return odds
        return odds[:, -self._newest(features, odds.shape[1], step) :].amax(dim=1)

    def _newest(self, features: Tensor, before: int, step: int) -> int:
        """Return how many frames the model adds for `step` more frames of features, which its strides decide."""
        if step not in self._added:
            more = features.new_zeros(1, features.shape[1], _HOPS * step)
            after = self.model(torch.cat([features[:1], more], dim=2)).shape[2]
            self._added[step] = max(1, -(-(after - before) // _HOPS))
        return self._added[step]
