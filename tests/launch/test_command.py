"""What holds for every launcher."""

import sys

import pytest

from amnl_tune.errors import ConfigurationError, StorageError
from amnl_tune.launch import ray_cluster, slurm
from amnl_tune.launch.command import Launcher, WorkerCommand, require_enough_storage, require_shared_storage

SQLITE, POSTGRES = "sqlite:////home/me/amnl.db", "postgresql://me:geheim@db/amnl"


def test_a_commands_words_and_repr_hold_no_secret() -> None:
    command = WorkerCommand("fd001", 4, ("--device", "cuda"), {"AMNL_TUNE_STORAGE": POSTGRES})
    assert command.words == ("worker", "fd001", "--threads", "4", "--device", "cuda")
    assert "geheim" not in repr(command)
    assert command.full_environment == {
        "AMNL_TUNE_STORAGE": POSTGRES,
        "OMP_NUM_THREADS": "4",
        "MKL_NUM_THREADS": "4",
        "OPENBLAS_NUM_THREADS": "4",
    }


def test_sqlite_serves_few_workers_of_one_host() -> None:
    require_enough_storage(SQLITE, 8)
    require_enough_storage(POSTGRES, 64)
    with pytest.raises(StorageError, match="at most 8 workers, but got --workers 9; use --storage postgresql://"):
        require_enough_storage(SQLITE, 9)
    require_shared_storage(SQLITE, Launcher.RAY, frozenset({"a"}), "a")
    require_shared_storage(POSTGRES, Launcher.RAY, frozenset("abcd"), "e")
    with pytest.raises(StorageError, match=r"`--on slurm` may start them on b, c, d \.\.\. besides a; use --storage"):
        require_shared_storage(SQLITE, Launcher.SLURM, frozenset("abcde"), "a")
    with pytest.raises(StorageError, match="on b besides a"):
        require_shared_storage(SQLITE, Launcher.RAY, frozenset("b"), "a")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigurationError, match=r'run `.*python.* -m pip install -e ".*\[ray\]"`'):
        ray_cluster.host_names()
    with pytest.raises(ConfigurationError, match=r'run `.*python.* -m pip install -e ".*\[slurm\]"`'):
        slurm.submit(WorkerCommand("fd001", 1), 1, slurm.JobSettings(240), None)  # type: ignore[arg-type]
