"""From what a study file and a command say of the hardware to how runs are carried out in this process."""

from pathlib import Path

import torch

from amnl_tune.errors import StudyError
from amnl_tune.search.spec_tables import HardwareTable
from amnl_tune.training.execution import Execution
from amnl_tune.training.precision import Precision, require_supported
from amnl_tune.training.team import Team

__all__ = ["execution_of", "require_devices", "resolve_device"]


def execution_of(
    hardware: HardwareTable,
    *,
    home: Path,
    device: str | None = None,
    precision: Precision | None = None,
    team: Team | None = None,
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
        team=team or Team(),
    )


def require_devices(count: int, device: str) -> None:
    """
    Raises:
        StudyError: fewer CUDA devices, or one in particular, where a run is to be trained on `count` of them.
    """
    resolved = resolve_device(device)
    if resolved.startswith("cuda") and (resolved != "cuda" or torch.cuda.device_count() < count):
        raise StudyError(
            f"`--gpus` must be at most the CUDA devices here, but got --gpus {count} with --device {device} for "
            f"{torch.cuda.device_count()} of them; lower it, or use --device cuda"
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
