"""How a run is carried out, as opposed to what it is: nothing here decides its result but the precision."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from amnl_tune.training.batches import DataPath
from amnl_tune.training.precision import Precision
from amnl_tune.training.team import Team

__all__ = ["Execution"]


@dataclass(frozen=True)
class Execution:
    """Device, precision and data path of runs in this process.

    Attributes:
        device: where they train.
        precision: `auto` asks the probe; a resumed run keeps its own.
        probes: folder in which answers of the probe are remembered; None: each process asks for itself.
        data_path: where windows are gathered.
        loader_workers: processes of a DataLoader; only for `loader`.
        cuda_graph: capture the training step on a CUDA device; where that cannot be, the reason is logged.
        team: processes that train one run together.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: Precision = Precision.FP32
    probes: Path | None = None
    data_path: DataPath = DataPath.AUTO
    loader_workers: int = 0
    cuda_graph: bool = True
    team: Team = field(default_factory=Team)
