"""How models are trained: the trainer, samplers, optimizers, schedules and callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit import Component, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable


@hookimpl
def wakekit_components() -> Iterable[Component]:
    """List the components of this package."""
    here = "wakekit_training"
    yield Component("trainer", "standard", f"{here}.standard:Standard", summary="One loop, batched on the device.")
    yield Component("sampler", "shuffle", f"{here}.shuffle:Shuffle", summary="Every row once an epoch.")
    yield Component("sampler", "balanced", f"{here}.balanced:Balanced", summary="Fixed ratio of the pools in a batch.")
    yield Component("sampler", "weighted", f"{here}.weighted:Weighted", summary="Rows drawn by their pool's weight.")
    yield Component("optimizer", "adamw", f"{here}.adamw:AdamW", summary="Adam with decoupled weight decay.")
    yield Component("optimizer", "sgd", f"{here}.sgd:SGD", summary="Stochastic gradient descent with momentum.")
    yield Component("schedule", "constant", f"{here}.constant:Constant", summary="The same learning rate throughout.")
    yield Component("schedule", "cosine", f"{here}.cosine:Cosine", summary="Warm-up, then half a cosine to the end.")
    yield Component("schedule", "one-cycle", f"{here}.one_cycle:OneCycle", summary="One rise of the rate and one fall.")
    yield Component("callback", "ema", f"{here}.ema:Ema", summary="Exponential moving average of the weights.")
    yield Component(
        "callback",
        "checkpoint-averaging",
        f"{here}.checkpoint_averaging:CheckpointAveraging",
        summary="Mean of the weights of the last epochs.",
    )
    yield Component(
        "callback", "lr-finder", f"{here}.lr_finder:LrFinder", summary="Range test of learning rates before training."
    )
    yield Component(
        "callback",
        "gradient-norm",
        f"{here}.gradient_norm:GradientNorm",
        summary="Norms of gradients: curves, clipping, spikes.",
    )
    yield Component(
        "callback", "early-stopping", f"{here}.early_stopping:EarlyStopping", summary="A pass ends when dev stalls."
    )
    yield Component(
        "callback", "tensorboard", f"{here}.tensorboard:TensorBoard", summary="Scalars as files for TensorBoard."
    )
    yield Component(
        "callback",
        "hard-negative-mining",
        f"{here}.hard_negative_mining:HardNegativeMining",
        summary="Train on what fooled the pass before.",
    )
