"""The network as ONNX, for those who predict without PyTorch."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from amnl_tune.rul.cmapss import FEATURES
from amnl_tune.rul.network import AMNL

__all__ = ["onnx_model"]


def onnx_model(model: AMNL, window: int) -> bytes:
    """Input `windows` (B, window, 17), scaled as `preprocessing.json` says; outputs `rul` (B,) in cycles, `health`
    (B, 3) logits. B is dynamic.

    Traced: the network has no branch that a window's values could take, and torch's other exporter takes twenty times
    as long. What its warnings doubt, other batch sizes, is tested against onnxruntime.
    """
    names = ["windows", "rul", "health"]
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "model.onnx"
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.cpu().eval(),
            (torch.zeros(1, window, len(FEATURES)),),
            path,
            dynamo=False,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "batch"} for name in names},
        )
        return path.read_bytes()
