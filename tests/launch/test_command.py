"""What holds for every launcher."""

import sys
from pathlib import Path

import pytest

from amnl_tune.errors import ConfigurationError, StorageError
from amnl_tune.launch import ray_cluster, slurm
from amnl_tune.launch.command import (
    Launcher,
    WorkerCommand,
    WorkerPlaces,
    require_enough_storage,
    require_shared_storage,
)
from amnl_tune.settings import Settings

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


def test_a_worker_is_told_every_place_of_its_launcher_as_an_absolute_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"AMNL_TUNE_DATA": "shared", "AMNL_TUNE_ARTIFACTS": "kept"}
    launcher = Settings.resolve(given, home=Path("here"), data_dir=Path("mine"))
    places = WorkerPlaces.of(launcher)
    monkeypatch.chdir("/")
    (option, folder), environment = places.options, places.environment
    assert option == "--data-dir"
    worker = Settings.resolve(environment, data_dir=Path(folder))
    assert worker.data_dirs == (tmp_path / "mine", tmp_path / "shared", tmp_path / "here" / "data")
    assert (worker.home, worker.storage) == (tmp_path / "here", f"sqlite:///{tmp_path}/here/amnl_tune.db")
    assert worker.artifacts == str(tmp_path / "kept")


def test_what_is_not_set_is_not_handed_on(tmp_path: Path) -> None:
    places = WorkerPlaces.of(Settings.resolve({"AMNL_TUNE_STORAGE": "postgresql://me:geheim@db/x"}, home=tmp_path))
    assert places.options == ()
    assert dict(places.environment) == {
        "AMNL_TUNE_STORAGE": "postgresql://me:geheim@db/x",
        "AMNL_TUNE_HOME": str(tmp_path),
    }
    assert "geheim" not in repr(places)
    remote = Settings.resolve({"AMNL_TUNE_ARTIFACTS": "s3://bucket/amnl"}, home=tmp_path)
    assert WorkerPlaces.of(remote).environment["AMNL_TUNE_ARTIFACTS"] == "s3://bucket/amnl"
