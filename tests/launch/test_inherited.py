"""What workers take over from their launcher's environment and folder, in real processes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import amnl_tune
from amnl_tune.launch.inherited import inherited, own_package, settle

ROOT = Path(amnl_tune.__file__).parents[1]
SHADOWS = ("random", "optuna", "profile", "torch", "typer")
WHERE = "import random, amnl_tune; print(amnl_tune.__file__); print(random.__file__)"


@pytest.fixture
def somebodys_folder(tmp_path: Path) -> Path:
    """A folder with scripts that have libraries' names, and another checkout's package."""
    folder = tmp_path / "mine"
    (folder / "amnl_tune").mkdir(parents=True)
    (folder / "amnl_tune" / "__init__.py").write_text("raise SystemExit('the other checkout')")
    for name in SHADOWS:
        (folder / f"{name}.py").write_text("raise SystemExit('my own experiment runs')")
    return folder


def said_by(command: list[str], folder: Path, environment: dict[str, str]) -> list[str]:
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.split()


def test_a_child_imports_the_launchers_own_package_and_no_file_of_the_current_folder(somebodys_folder: Path) -> None:
    package, library = said_by([sys.executable, "-c", WHERE], somebodys_folder, inherited(os.environ))
    assert Path(package).parents[1] == ROOT
    assert Path(library).parent != somebodys_folder


def test_so_does_a_childs_child_and_the_module_form_of_the_command(somebodys_folder: Path) -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WHERE!r}], check=True)"
    package, library = said_by([sys.executable, "-c", nested], somebodys_folder, inherited(os.environ))
    assert Path(package).parents[1] == ROOT
    assert Path(library).parent != somebodys_folder
    (somebodys_folder / "amnl_tune" / "__init__.py").unlink()
    (somebodys_folder / "amnl_tune").rmdir()  # `python -m` itself would take this one
    by_hand = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    told = said_by([sys.executable, "-m", "amnl_tune", "--version"], somebodys_folder, by_hand | own_path())
    assert told == ["amnl-tune", amnl_tune.__version__]


def own_path() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT)}


def test_a_launcher_in_a_checkout_starts_that_checkouts_workers(somebodys_folder: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "amnl_tune", checkout / "amnl_tune", ignore=shutil.ignore_patterns("__pycache__"))
    launcher = (
        "import os, subprocess, sys; from amnl_tune.launch.inherited import inherited\n"
        f"subprocess.run([sys.executable, '-c', {WHERE!r}], cwd={str(somebodys_folder)!r}, check=True,"
        " env=inherited(os.environ))"
    )
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(somebodys_folder / "amnl_tune", elsewhere / "amnl_tune")
    apart = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONSAFEPATH"}}
    for environment in (apart, apart | {"PYTHONPATH": f".{os.pathsep}{os.pathsep}{elsewhere}"}):
        package, _ = said_by([sys.executable, "-c", launcher], checkout, environment)
        assert Path(package).parents[1] == checkout


def test_nothing_that_changes_a_run_is_handed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changing = [
        "PYTHONOPTIMIZE",
        "PYTHONHASHSEED",
        "PYTHONSTARTUP",
        "PYTHONWARNINGS",
        "PYTHONUNBUFFERED",
        "PYTHONINSPECT",
        "PYTHON_EXEC",
        "MPLBACKEND",
        "OMP_NUM_THREADS",
        "OMP_DYNAMIC",
        "OMP_THREAD_LIMIT",
        "KMP_AFFINITY",
        "GOMP_CPU_AFFINITY",
        "MKL_CBWR",
        "OPENBLAS_CORETYPE",
        "CUBLAS_WORKSPACE_CONFIG",
        "NVIDIA_TF32_OVERRIDE",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        "TORCHELASTIC_RUN_ID",
        "TORCH_LOGS",
        "PET_NPROC_PER_NODE",
        "ATEN_CPU_CAPABILITY",
        "ONEDNN_DEFAULT_FPMATH_MODE",
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "MASTER_ADDR",
        "AMNL_TUNE_DATA",
        "AMNL_TUNE_SECRET",
        "AMNL_TUNE_WORKER_PARENT",
    ]
    needed = [
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "CUDA_VISIBLE_DEVICES",
        "NCCL_SOCKET_IFNAME",
        "SLURM_JOB_ID",
        "https_proxy",
        "AWS_PROFILE",
        "PGPASSFILE",
        "MLFLOW_TRACKING_URI",
        "PYTHONUSERBASE",
        "KMP_DUPLICATE_LIB_OK",
        "PYTORCH_CUDA_ALLOC_CONF",
        "TORCH_HOME",
    ]
    monkeypatch.chdir(tmp_path)
    handed = inherited(dict.fromkeys((*changing, *needed), "x") | {"PYTHONPATH": f"{os.pathsep}libs"})
    assert set(changing) & set(handed) == set()
    assert set(handed) == {*needed, "PYTHONPATH", "PYTHONSAFEPATH"}
    assert handed["PYTHONPATH"].split(os.pathsep)[-1] == str(tmp_path / "libs")
    assert "" not in handed["PYTHONPATH"].split(os.pathsep)


def test_an_installed_package_goes_before_no_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """`site-packages` in PYTHONPATH would put every backport there in the place of Python's own module."""
    monkeypatch.setattr("site.getsitepackages", lambda: [str(ROOT)])
    assert own_package({}) == {"PYTHONSAFEPATH": "1"}


def test_a_commands_own_process_computes_in_the_precision_that_is_asked_for() -> None:
    environ = {"NVIDIA_TF32_OVERRIDE": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline", "HOME": "/root"}
    settle(environ)
    assert environ == {"MPLBACKEND": "agg", "HOME": "/root", "PYTHONSAFEPATH": "1"}
