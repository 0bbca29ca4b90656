"""Exporters, which write a model for use elsewhere, and launchers: where the variants of an ablation run.

Importing this package imports neither torch nor onnx nor ray; each component's module is loaded when a recipe names it.
"""

from collections.abc import Iterator

from wakekit import Component, hookimpl

wakekit_api = 1


@hookimpl
def wakekit_components() -> Iterator[Component]:
    """Yield the components of this package."""
    yield Component("exporter", "onnx", "wakekit_deploy.onnx_exporter:Onnx", summary="one file for ONNX Runtime")
    yield Component("launcher", "local", "wakekit_deploy.local:Local", summary="worker processes on this machine")
    yield Component("launcher", "ray", "wakekit_deploy.ray_cluster:Ray", summary="tasks on a Ray cluster")
