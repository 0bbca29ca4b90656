"""The trained network as one module: frontend, normalizer and model, from audio to log-odds.

Windows of a stream share frames: features are computed once per chunk and unfolded, which is exact because frontends
are uncentred. Only a normalizer of scope `corpus` runs before the unfolding; any other sees each window by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# On a CPU a batch that stays in cache is two to three times as fast as a large one.
_WINDOWS_AT_ONCE = {"cpu": 64, "cuda": 4096}


class Network(nn.Module):
    """Frontend, normalizer and model together, for windows of `window_frames` frames.

    `frame_hop` is the frontend's hop in samples; `shared` says that the normalizer works frame by frame.
    """

    def __init__(
        self,
        *,
        frontend: nn.Module,
        normalizer: nn.Module,
        model: nn.Module,
        window_frames: int,
        frame_hop: int,
        shared: bool,
    ) -> None:
        super().__init__()
        self.frontend = frontend
        self.normalizer = normalizer
        self.model = model
        self.window_frames = window_frames
        self.frame_hop = frame_hop
        self.shared = shared

    def log_odds(self, features: Tensor) -> Tensor:
        """Return the keyword's log-odds [N] against every other class, of normalized features [N, F, T]."""
        logits = self.model(features).float()
        rest = torch.cat([logits[:, :1], logits[:, 2:]], dim=1)
        odds: Tensor = logits[:, 1] - rest.logsumexp(dim=1)
        return odds

    def score_windows(self, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds float32 [B, n] of every window of `audio` [B, S], one each `hop` samples.

        `hop` must be a multiple of the frontend's hop. n is 0 where the audio is shorter than a window.
        """
        features = self.frontend(audio)
        if features.shape[-1] < self.window_frames:
            return audio.new_zeros(audio.shape[0], 0)
        if self.shared:
            features = self.normalizer(features)
        windows = features.unfold(2, self.window_frames, hop // self.frame_hop).transpose(1, 2)
        flat = windows.reshape(-1, *windows.shape[2:])
        scores = [self._score(part) for part in flat.split(_WINDOWS_AT_ONCE.get(flat.device.type, 64))]
        return torch.cat(scores).view(windows.shape[0], windows.shape[1])

    def _score(self, features: Tensor) -> Tensor:
        return self.log_odds(features if self.shared else self.normalizer(features))
