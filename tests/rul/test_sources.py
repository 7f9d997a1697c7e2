"""Where data sets come from, and which files are opened for what."""

import gzip
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from amnl_tune.errors import DataError, DataNotFoundError, StorageError
from amnl_tune.rul.layouts import file_names
from amnl_tune.rul.simulator import write_fleet
from amnl_tune.rul.sources import FleetSource, TestFleet, TrainingFleet


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a fleet of the user's own: MINE, 3 + 3 engines, uncompressed."""
    folder = tmp_path / "own"
    write_fleet("SIM1", folder, seed=1, engines=3)
    for ours, theirs in zip(file_names("SIM1"), file_names("MINE"), strict=True):
        packed = folder / f"{ours}.gz"
        (folder / theirs).write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    return folder


def test_an_own_fleet_is_read_with_its_hashes(own: Path) -> None:
    source = FleetSource((own,))
    training, test = source.training("MINE"), source.test("MINE")
    train_bytes, test_bytes, rul_bytes = ((own / file_name).read_bytes() for file_name in file_names("MINE"))
    assert (training.name, training.sha256) == ("MINE", hashlib.sha256(train_bytes).hexdigest())
    assert (test.name, test.sha256) == ("MINE", hashlib.sha256(test_bytes + rul_bytes).hexdigest())
    assert training.frame["unit"].nunique() == test.frame["unit"].nunique() == len(test.rul) == 3


def test_packed_and_unpacked_files_have_one_hash(own: Path) -> None:
    source = FleetSource((own,))
    before = source.training("MINE").sha256
    plain = own / "train_MINE.txt"
    (own / "train_MINE.txt.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert source.training("MINE").sha256 == before


def test_training_never_opens_test_files_and_test_never_the_training_file(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read_bytes = Path.read_bytes

    def record(path: Path) -> bytes:
        opened.append(path.name)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", record)
    FleetSource((own,)).training("MINE")
    assert opened == ["train_MINE.txt"]
    opened.clear()
    FleetSource((own,)).test("MINE")
    assert opened == ["test_MINE.txt", "RUL_MINE.txt"]


def test_poisoned_test_files_do_not_reach_training(own: Path) -> None:
    before = FleetSource((own,)).training("MINE")
    (own / "test_MINE.txt").write_text("poison")
    (own / "RUL_MINE.txt").write_text("poison")
    after = FleetSource((own,)).training("MINE")
    assert after.frame.equals(before.frame)
    assert set(TrainingFleet.__dataclass_fields__) == {"name", "sha256", "frame"}
    assert not issubclass(TestFleet, TrainingFleet)


def test_the_first_directory_wins_and_absent_ones_are_passed_over(own: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "train_MINE.txt").write_bytes((own / "train_MINE.txt").read_bytes())
    source = FleetSource((tmp_path / "absent", first, own))
    assert source.find("train_MINE.txt") == first / "train_MINE.txt"
    assert source.find("test_MINE.txt") == own / "test_MINE.txt"
    assert source.find("train_FD001.txt") is None
    assert source.names() == ["MINE"]


def test_missing_names_the_files_that_are_nowhere(own: Path) -> None:
    (own / "RUL_MINE.txt").unlink()
    source = FleetSource((own,))
    assert source.missing("MINE") == ["RUL_MINE.txt"]
    assert source.missing("FD003") == ["train_FD003.txt", "test_FD003.txt", "RUL_FD003.txt"]
    assert source.missing("SIM6") == []


def test_an_absent_data_set_names_places_and_remedies(own: Path, tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError) as caught:
        FleetSource((own, tmp_path / "absent")).training("FD001")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("train_FD001.txt", str(own), "absent (no such folder)", "amnl-tune data fetch", "--data-dir"):
        assert part in message
    assert "AMNL_TUNE_DATA" in message
    assert "did you mean" not in message


@pytest.mark.parametrize(
    ("given", "meant"), [("fd001", "FD001"), ("FD01", "FD001"), ("SIM-1", "SIM1"), ("sim6", "SIM6"), ("mine", "MINE")]
)
def test_a_near_miss_gets_a_suggestion(own: Path, given: str, meant: str) -> None:
    with pytest.raises(DataNotFoundError, match=f"did you mean {meant}?"):
        FleetSource((own,)).training(given)


@pytest.mark.parametrize("name", ["../own/MINE", "", "a\0b", "x" * 300])
def test_a_strange_name_is_only_not_found(own: Path, name: str) -> None:
    with pytest.raises(DataError):
        FleetSource((own,)).training(name)


def test_a_known_file_with_other_content_is_refused(own: Path) -> None:
    (own / "train_FD001.txt").write_bytes((own / "train_MINE.txt").read_bytes())
    with pytest.raises(DataError, match=r"train_FD001\.txt must have SHA-256 963b5e22\w+, but got \w+; delete it"):
        FleetSource((own,)).training("FD001")


def test_a_test_file_and_a_rul_file_that_do_not_fit_are_refused(own: Path) -> None:
    (own / "RUL_MINE.txt").write_text("5 \n6 \n")
    with pytest.raises(DataError, match=r"RUL_MINE\.txt .* got 2 lines for 3 engines"):
        FleetSource((own,)).test("MINE")


def test_a_file_without_permission_is_a_data_error(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"train_MINE\.txt must be readable"):
        FleetSource((own,)).training("MINE")


def test_a_folder_without_permission_is_a_data_error(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(DataError, match="must be readable, but: Permission denied"):
        FleetSource((own,)).training("MINE")


def test_a_simulated_fleet_is_made_once_in_the_store(own: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    source = FleetSource((own, store))
    training = source.training("SIM1")
    written = {path.name: path.stat().st_mtime_ns for path in store.glob("*.gz")}
    assert sorted(written) == ["RUL_SIM1.txt.gz", "test_SIM1.txt.gz", "train_SIM1.txt.gz"]
    assert len(source.test("SIM1").rul) == 100
    assert source.training("SIM1").sha256 == training.sha256
    assert {path.name: path.stat().st_mtime_ns for path in store.glob("*.gz")} == written
    assert not list(own.glob("*SIM1*"))


def test_two_processes_make_a_simulated_fleet_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from amnl_tune.rul.sources import FleetSource;"
        "source = FleetSource((Path(sys.argv[1]),));"
        "print(source.training('SIM1').sha256, source.test('SIM1').sha256)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (process.communicate(timeout=180)[0] for process in processes)
    assert first
    assert first == second
    assert not [path for path in (tmp_path / "store").iterdir() if path.name.startswith(".train")]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied")])
def test_a_store_that_refuses_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(descriptor: int) -> None:
        raise error

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StorageError, match=f"must be writable, but: {error.strerror}; free space there"):
        FleetSource((tmp_path / "store",)).training("SIM1")
    assert not list((tmp_path / "store").glob("*SIM1.txt*"))
    assert not list((tmp_path / "store").glob(".*.gz.*"))


def test_a_store_below_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="must be writable"):
        FleetSource((tmp_path / "file" / "store",)).training("SIM1")


@pytest.mark.realdata
def test_the_real_training_file_has_the_known_hash(cmapss_dir: Path) -> None:
    from amnl_tune.rul.layouts import CHECKSUMS

    assert FleetSource((cmapss_dir,)).training("FD001").sha256 == CHECKSUMS["train_FD001.txt"]
