"""From what a study file and a command say of the hardware to how runs are carried out in this process."""

from pathlib import Path

import torch

from amnl_tune.errors import StudyError
from amnl_tune.search.spec_tables import HardwareTable
from amnl_tune.training.execution import Execution
from amnl_tune.training.precision import Precision, require_supported

__all__ = ["execution_of", "resolve_device"]


def execution_of(
    hardware: HardwareTable, *, home: Path, device: str | None = None, precision: Precision | None = None
) -> Execution:
    """How runs are carried out here, from the study file's table; `device` and `precision` override it.

    Raises:
        StudyError: a CUDA device that is not there. ConfigurationError: a precision that the device lacks.
    """
    place = torch.device(resolve_device(device or hardware.device))
    require_supported(precision or hardware.precision, place)
    return Execution(
        device=place,
        precision=precision or hardware.precision,
        probes=home / "probes",
        data_path=hardware.data_path,
        loader_workers=hardware.loader_workers,
    )


def resolve_device(device: str) -> str:
    """`auto` is the first CUDA device where there is one.

    Raises:
        StudyError: a CUDA device that is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise StudyError(f"`--device` must be there, but torch finds no CUDA device for {device!r}; use --device cpu")
    return device
