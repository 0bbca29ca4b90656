"""Architectures, one per file, and the losses that train them.

Importing this package imports no torch; each component's module is loaded when a recipe names it.
"""

from collections.abc import Iterator

from wakekit import Component, hookimpl

wakekit_api = 1


@hookimpl
def wakekit_components() -> Iterator[Component]:
    """Yield the models and losses of this package."""
    yield Component("model", "bc-resnet", "wakekit_models.bc_resnet:BcResNet", summary="broadcasted residual learning")
    yield Component("model", "ds-cnn", "wakekit_models.ds_cnn:DsCnn", summary="depthwise separable convolutions")
    yield Component(
        "model", "crnn", "wakekit_models.crnn:Crnn", summary="a convolution, then recurrent layers over time"
    )
    yield Component("model", "tc-resnet", "wakekit_models.tc_resnet:TcResNet", summary="convolutions over time alone")
    yield Component("model", "resnet18", "wakekit_models.resnet18:ResNet18", summary="ResNet-18 on spectrograms")
    yield Component("loss", "cross-entropy", "wakekit_models.cross_entropy:CrossEntropy", summary="softmax likelihood")
    yield Component("loss", "focal", "wakekit_models.focal:Focal", summary="cross-entropy that dwells on hard rows")
    yield Component(
        "loss", "max-pooling", "wakekit_models.max_pooling:MaxPooling", summary="likelihood at each row's highest frame"
    )
