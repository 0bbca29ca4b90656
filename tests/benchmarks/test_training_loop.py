"""How long the standard trainer takes beside a plain PyTorch loop that does the same tensor work."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from wakekit.checkpoints import Checkpoints
from wakekit.history import History
from wakekit.prepared import Placed, SplitAudio
from wakekit.progress import Silence
from wakekit.registry import installed
from wakekit.rows import Rows
from wakekit.training import TrainTask

if TYPE_CHECKING:
    from wakekit.kinds import Frontend

RATE, WINDOW, ROWS, BATCH, EPOCHS = 16000, 19200, 960, 96, 4


def component(kind: str, name: str, **options: object) -> object:
    """Return a first-party component, found as a recipe would find it."""
    return installed().find(kind, name).load()(**options)


def rows(seed: int, count: int) -> Rows:
    """Return rows of noise."""
    generator = torch.Generator().manual_seed(seed)
    audio = torch.randint(-9999, 9999, (count * WINDOW,), generator=generator).to(torch.int16)
    start = torch.arange(count) * WINDOW
    return Rows(
        audio=audio,
        start=start,
        slack=torch.zeros(count, dtype=torch.int64),
        low=start,
        high=start + WINDOW,
        labels=torch.arange(count) % 2,
        pools={"positive": torch.arange(1, count, 2), "negative": torch.arange(0, count, 2)},
        window=WINDOW,
        sample_rate=RATE,
    )


def task(train: Rows, dev: Rows) -> TrainTask:
    """Return the training that both sides do."""
    frontend: Frontend = component("frontend", "log-mel", hop_seconds=0.02, frame_seconds=0.04)  # type: ignore[assignment]
    return TrainTask(
        train=train, dev=dev, frontend=frontend.build(RATE), normalizer=nn.Identity(), n_features=frontend.n_features,
        n_classes=2, model=component("model", "ds-cnn", channels=32), loss=component("loss", "cross-entropy"),
        optimizer=component("optimizer", "adamw"), schedule=component("schedule", "cosine"),
        sampler=component("sampler", "shuffle", batch_size=BATCH), callbacks={}, waveform_augmentations=(),
        feature_augmentations=(), device=torch.device("cpu"), precision="float32", seed=0, progress=Silence(),
        audio=SplitAudio("train", "word", RATE, train.audio, *[Placed((), train.start[:0], train.start[:0])] * 3),
        network=lambda model: model, history=History(), checkpoints=Checkpoints(), folder=Path(),
    )  # fmt: skip


def ours(given: TrainTask) -> None:
    """Train with the trainer."""
    component("trainer", "standard", epochs=EPOCHS).fit(given)  # type: ignore[attr-defined]


def plain(given: TrainTask) -> None:
    """Train with a loop as one would write it by hand, validation included."""
    torch.manual_seed(0)
    model = given.model.build(given.n_features, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    steps = EPOCHS * ROWS // BATCH
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    audio = given.train.audio.view(-1, WINDOW)
    held_out = given.dev.audio.view(-1, WINDOW)
    for _ in range(EPOCHS):
        model.train()
        for chosen in torch.randperm(ROWS).split(BATCH):
            loss = nn.functional.cross_entropy(model(features(given, audio[chosen])), given.train.labels[chosen])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            loss.item()
        model.eval()
        with torch.no_grad():
            model(features(given, held_out))


@torch.no_grad()
def features(given: TrainTask, audio: Tensor) -> Tensor:
    """Return the features of int16 audio."""
    found: Tensor = given.frontend(audio.float() / 32768)
    return found


@pytest.mark.benchmark
def test_the_trainer_beside_a_plain_loop(capsys: pytest.CaptureFixture[str]) -> None:
    """The median of interleaved pairs is at most 1.05."""
    given = task(rows(0, ROWS), rows(1, 192))
    ours(given)
    plain(given)
    ratios = []
    for _ in range(7):
        started = time.perf_counter()
        ours(given)
        middle = time.perf_counter()
        plain(given)
        ratios.append((middle - started) / (time.perf_counter() - middle))
    with capsys.disabled():
        print(f"\nstandard trainer / plain PyTorch loop: {statistics.median(ratios):.3f} (median of 7 pairs)")
    assert statistics.median(ratios) <= 1.05
