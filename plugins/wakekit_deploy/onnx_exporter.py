"""The `onnx` exporter: one file with everything from audio to probability, for ONNX Runtime and its like.

The input `audio` is float32 [batch, samples] in [-1, 1), the output `probability` float64 [batch]. What a device must
know beside it stands in the file's metadata: keyword, sample_rate, window, context and hop in samples, threshold,
detector as JSON, fingerprint.
"""

from __future__ import annotations

import json
import logging
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import attrs
import torch

from wakekit import WakekitError, option
from wakekit_deploy.portable import Portable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor

    from wakekit.shipped import Facts, Shipped

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")
_AUDIO, _PROBABILITY, _BATCH = "audio", "probability", "batch"
_ERRORS_ONLY = 3


@attrs.frozen
class Onnx:
    """Write `model.onnx`: frontend, normalizer, model and calibrator as one graph without unknown operators.

    A device gives it the last `context + window` samples, every `hop`, and its detector takes the probabilities, which
    are the trained model's but for rounding.
    """

    opset: int = option(18, at_least=18, at_most=23, help="version of the operators; older runtimes need a lower one")
    batch: int = option(0, at_least=0, at_most=4096, unit="windows", help="windows judged at once; 0: any number")
    tolerance: float = option(
        1e-4, above=0, at_most=1, help="largest difference of a probability from the trained model's"
    )

    def check(self) -> None:
        """Raise WakekitError where a package is missing."""
        missing = [name for name in _PACKAGES if find_spec(name) is None]
        if missing:
            raise WakekitError(
                f"exporter onnx: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed; "
                "pip install 'wakekit[onnx]'"
            )

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write the file; raises WakekitError where a package is missing, or torch cannot express the model."""
        self.check()
        with _quiet():
            try:
                program = self._program(shipped)
            except Exception as error:
                # Every failure within torch is one of its own classes, and its message fills pages.
                said = (str(error).strip().splitlines() or [""])[0]
                raise WakekitError(
                    f"exporter onnx: torch cannot write this model: {type(error).__name__}: {said}; "
                    "choose other components, or leave the exporter out"
                ) from error
            found = program.model.opset_imports.get("")
            if found != self.opset:
                raise WakekitError(
                    f"exporter onnx: the model needs opset {found} and cannot be written in opset {self.opset}"
                )
            _describe(program.model, shipped.facts)
            path = folder / "model.onnx"
            program.save(str(path), external_data=False)
        return path

    def _program(self, shipped: Shipped) -> Any:  # noqa: ANN401
        # Of one row torch would take it that there is never another.
        example = torch.zeros(self.batch or 2, shipped.facts.samples)
        shapes = None if self.batch else ({0: torch.export.Dim(_BATCH)},)
        portable = Portable(shipped).eval()
        with torch.no_grad():
            portable(example)
            traced = torch.export.export(portable, (example,), dynamic_shapes=shapes, strict=False)
            return torch.onnx.export(
                traced,
                (),
                dynamo=True,
                opset_version=self.opset,
                input_names=[_AUDIO],
                output_names=[_PROBABILITY],
                dynamic_shapes=shapes,
                external_data=False,
                verbose=False,
            )

    def load(self, path: Path) -> Callable[[Tensor], Tensor]:
        """Return the file in ONNX Runtime on the CPU; raises WakekitError where a package is missing."""
        self.check()
        import onnxruntime  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = _ERRORS_ONLY
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        size = session.get_inputs()[0].shape[0]

        def judge(rows: Tensor) -> Tensor:
            (found,) = session.run([_PROBABILITY], {_AUDIO: rows.contiguous().numpy()})
            return torch.from_numpy(found)

        def run(audio: Tensor) -> Tensor:
            if not isinstance(size, int):
                return judge(audio)
            padded = torch.nn.functional.pad(audio, (0, 0, 0, -len(audio) % size))
            return torch.cat([judge(rows) for rows in padded.split(size)])[: len(audio)]

        return run


def _describe(model: Any, facts: Facts) -> None:  # noqa: ANN401
    """Write the facts into a model's metadata, and leave out where on this machine each operation came from."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
    model.metadata_props.clear()
    for name, value in attrs.asdict(facts, recurse=False).items():
        model.metadata_props[name] = value if isinstance(value, str) else json.dumps(value)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch says while it exports, which no user can act on."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
