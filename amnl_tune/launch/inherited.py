"""What a worker takes over from the process that starts it: whatever its machine, network and cluster need, and nothing
that changes a run.

A variable that somebody once set for a notebook, another project or a benchmark would otherwise decide how a study
trains, on one machine and not on the next. What a run depends on stands in its study file and its options.
"""

import os
import site
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

WORKER_PARENT = "AMNL_TUNE_WORKER_PARENT"
"""The number of the process that started a local worker, which leaves when that one is gone."""

SAFE_PATH = "PYTHONSAFEPATH"
"""No file of the current folder, a `random.py` say, is taken for a library's."""

CHANGING = (
    "PYTHON",  # -O, warnings as errors, hash seeds, another interpreter for torchrun, ...
    "AMNL_TUNE_",  # a worker is told its own places; the dashboard's secrets are nothing to it
    "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "VECLIB_", "NUMEXPR_",  # threads, pinning, sums
    "TORCH", "PYTORCH_", "PET_", "ATEN_", "CUBLAS", "CUDNN", "NVIDIA_TF32_", "DNNL_", "ONEDNN_",
    "RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "MASTER_",
    "MPLBACKEND",
)  # fmt: skip
"""Beginnings of names: an answer, a run's speed or the way that it is started depends on these."""

KEPT = (
    "PYTHONHOME", "PYTHONPLATLIBDIR", "PYTHONUSERBASE", "PYTHONNOUSERSITE",  # where the interpreter's parts are
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX",
    "OMP_WAIT_POLICY", "GOMP_SPINCOUNT",  # how threads wait for each other: a machine's own choice
    "KMP_DUPLICATE_LIB_OK", "MKL_THREADING_LAYER", "MKL_SERVICE_FORCE_INTEL",  # libraries do not load without
    "TORCH_HOME", "TORCH_EXTENSIONS_DIR", "TORCHINDUCTOR_CACHE_DIR", "TORCH_NCCL_", "PYTORCH_CUDA_ALLOC_CONF",
    "PYTORCH_ALLOC_CONF",
)  # fmt: skip
"""Beginnings of names within `CHANGING` that change no answer and that a machine may need."""

OVERRULING = (
    "NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE",
)  # fmt: skip
"""Would compute in another precision than the study asks for, behind torch's back."""


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """A worker's environment, less its own settings: `environ` without what changes a run, and this package's place."""
    kept = {name: value for name, value in environ.items() if not name.startswith(CHANGING) or name.startswith(KEPT)}
    return kept | own_package(environ)


def own_package(environ: Mapping[str, str]) -> dict[str, str]:
    """Lets a Python process import the amnl_tune that this process runs, not one of the folder that it starts in."""
    given = [] if sys.flags.ignore_environment else environ.get("PYTHONPATH", "").split(os.pathsep)
    entries = [str(Path(entry).absolute()) for entry in given if entry]
    root = Path(__file__).resolve().parents[2]
    installed = {Path(folder).resolve() for folder in (*site.getsitepackages(), site.getusersitepackages())}
    if root not in installed:  # a checkout: found by the current folder, by PYTHONPATH or by an editable install
        entries = [str(root), *(entry for entry in entries if entry != str(root))]
    return {SAFE_PATH: "1"} | ({"PYTHONPATH": os.pathsep.join(entries)} if entries else {})


def settle(environ: MutableMapping[str, str]) -> None:
    """For a command's own process, before it imports torch: what would change a run there, and in its children."""
    environ[SAFE_PATH] = "1"
    environ["MPLBACKEND"] = "agg"  # a notebook's is known to the notebook's own environment alone
    for name in OVERRULING:
        environ.pop(name, None)
