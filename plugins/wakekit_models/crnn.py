"""The `crnn` model: a strided convolution, then recurrent layers over time (Arik et al., 2017, arXiv:1703.05390).

Two things differ from the paper, so that the model can run on a stream: the recurrent layers look back only, and the
fully connected layers read one step of them rather than all steps at once. Nothing is padded, so that the convolution
is the same wherever a chunk of a stream begins.
"""

from __future__ import annotations

import attrs
from torch import Tensor, nn

from wakekit import WakekitError, option
from wakekit_models.layers import ConvNorm


@attrs.frozen
class Crnn:
    """Classify with a convolution, GRUs and two linear layers; the defaults are the sizes the paper chose.

    With `scores = "frame"` there are logits for every step of the GRUs, which the loss `max-pooling` trains; with
    `"window"` there are those of the last step, which has heard the whole window.
    """

    scores: str = option("window", choices=("window", "frame"), help="logits for the window, or for each step in it")
    channels: int = option(32, at_least=1, help="filters of the convolution")
    kernel: tuple[int, int] = option((20, 5), at_least=1, help="frames and features that the convolution sees")
    stride: tuple[int, int] = option((8, 2), at_least=1, help="its steps over frames and features")
    layers: int = option(2, at_least=1, help="number of recurrent layers")
    hidden: int = option(32, at_least=1, help="units of each recurrent layer")
    linear: int = option(64, at_least=1, help="units of the fully connected layer")
    dropout: float = option(0.0, at_least=0, below=1, help="probability of dropping a unit of the recurrent layers")

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return features [B, F, T] → logits [B, C], or [B, C, T'] of steps; raises WakekitError where F is too small.

        T' = 1 + (T - frames of the kernel) // step over frames.
        """
        if n_features < self.kernel[1]:
            raise WakekitError(
                f"expected at least {self.kernel[1]} features, which the kernel sees, got {n_features} @ model crnn; "
                "choose a smaller kernel"
            )
        conv = nn.Conv2d(1, self.channels, self.kernel[::-1], self.stride[::-1], bias=False)
        heights = 1 + (n_features - self.kernel[1]) // self.stride[1]
        return CrnnModule(
            head=nn.Sequential(ConvNorm(conv), nn.ReLU(inplace=True)),
            recurrent=nn.GRU(
                self.channels * heights,
                self.hidden,
                self.layers,
                batch_first=True,
                dropout=self.dropout if self.layers > 1 else 0.0,
            ),
            classifier=nn.Sequential(
                nn.Dropout(self.dropout),
                nn.Linear(self.hidden, self.linear),
                nn.ReLU(inplace=True),
                nn.Linear(self.linear, n_classes),
            ),
            per_frame=self.scores == "frame",
        )


class CrnnModule(nn.Module):
    """The convolution, the recurrent layers over its steps and the classifier of a step."""

    def __init__(self, *, head: nn.Sequential, recurrent: nn.GRU, classifier: nn.Module, per_frame: bool) -> None:
        super().__init__()
        self.head = head
        self.recurrent = recurrent
        self.classifier = classifier
        self.per_frame = per_frame
        self.least_frames = int(next(head.parameters()).shape[3])

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C], or [B, C, T'] where `per_frame`, of features [B, F, T].

        Raises WakekitError where there are fewer frames than the convolution sees.
        """
        if features.shape[2] < self.least_frames:
            raise WakekitError(
                f"expected windows of at least {self.least_frames} frames, which the kernel sees, got "
                f"{features.shape[2]} @ model crnn; choose a smaller kernel or a longer window"
            )
        steps = self.head(features.unsqueeze(1)).flatten(1, 2).transpose(1, 2)
        heard, _ = self.recurrent(steps)
        logits: Tensor = self.classifier(heard if self.per_frame else heard[:, -1])
        return logits.transpose(1, 2) if self.per_frame else logits
