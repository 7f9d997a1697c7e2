"""`amnl-tune data`."""

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from amnl_tune.cli.data import app
from amnl_tune.errors import DataError, DataNotFoundError
from amnl_tune.rul import fetch as archive
from amnl_tune.rul import layouts
from amnl_tune.rul.simulator import write_fleet

FILES = {name: f"{name}\n".encode() for name in layouts.CHECKSUMS}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an archive of twelve small files that stand for NASA's."""
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(archive, "CHECKSUMS", checksums)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as file:
        for name, content in FILES.items():
            file.writestr(name, content)
    return (tmp_path / "archive.zip").as_uri()


@pytest.mark.parametrize("command", ["fetch", "verify", "info"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"Example: amnl-tune data {command}" in result.output


def test_help_needs_no_heavy_import() -> None:
    code = "import sys, amnl_tune.cli.data; print(sorted({'pandas', 'numpy', 'torch', 'sklearn'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=180)
    assert shown.stdout.strip() == "[]"


def test_fetch_fills_the_local_store_and_then_has_nothing_to_do(tmp_path: Path, packed: str) -> None:
    result = run("fetch", "--source", packed)
    assert result.exit_code == 0
    assert f"Put 12 files into {tmp_path / 'data'}" in result.output
    assert all((tmp_path / "data" / name).read_bytes() == content for name, content in FILES.items())
    assert "MB" in result.stderr
    assert "MB" not in result.stdout
    assert f"already in place and right: {tmp_path / 'data'}" in run("fetch", "--source", packed).output


def test_fetch_into_a_given_folder(tmp_path: Path, packed: str) -> None:
    assert run("fetch", "--source", "no-url", "--source", packed, "--data-dir", tmp_path / "mine").exit_code == 0
    assert len(list((tmp_path / "mine").glob("*.txt"))) == 12
    assert not (tmp_path / "data").exists()


def test_the_store_is_in_the_home(tmp_path: Path, packed: str) -> None:
    assert run("fetch", "--source", packed, "--home", tmp_path / "home").exit_code == 0
    assert len(list((tmp_path / "home" / "data").glob("*.txt"))) == 12
    assert run("verify", "--home", tmp_path / "home").exit_code == 0
    assert run("verify").exit_code == 1


def test_fetch_finds_what_the_environment_names(tmp_path: Path, packed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("fetch", "--source", packed, "--data-dir", tmp_path / "mine").exit_code == 0
    monkeypatch.setenv("AMNL_TUNE_DATA", str(tmp_path / "mine"))
    assert f"already in place and right: {tmp_path / 'mine'}" in run("fetch", "--source", "no-url").output


def test_fetch_draws_a_bar_on_a_terminal(packed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = run("fetch", "--source", packed)
    assert result.exit_code == 0
    assert "Put 12 files" in result.stdout
    assert "C-MAPSS" in result.stderr


def test_fetch_without_a_source_that_answers() -> None:
    result = run("fetch", "--source", "no-url")
    assert isinstance(result.exception, DataNotFoundError)


def test_verify_tells_all_files_and_fails_on_a_wrong_one(tmp_path: Path, packed: str) -> None:
    run("fetch", "--source", packed)
    result = run("verify")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["ok"] * 12
    (tmp_path / "data" / "RUL_FD002.txt").write_text("wrong")
    result = run("verify", "--json")
    assert isinstance(result.exception, DataError)
    assert "got RUL_FD002.txt (wrong_checksum); delete" in str(result.exception)
    states = {row["file"]: (row["state"], row["path"]) for row in json.loads(result.stdout)}
    assert states["RUL_FD002.txt"] == ("wrong_checksum", str(tmp_path / "data" / "RUL_FD002.txt"))
    assert len(states) == 12


def test_verify_without_files(tmp_path: Path) -> None:
    result = run("verify", "--data-dir", tmp_path / "none")
    assert isinstance(result.exception, DataNotFoundError)
    assert "run `amnl-tune data fetch`" in str(result.exception)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    write_fleet("SIM6", tmp_path / "own", seed=1, engines=3)
    for path in list((tmp_path / "own").iterdir()):
        path.rename(path.with_name(path.name.replace("SIM6", "MINE")))
    return tmp_path / "own"


def test_info_tells_the_facts(own: Path) -> None:
    result = run("info", "--data-dir", own, "--json")
    assert result.exit_code == 0
    (fact,) = json.loads(result.stdout)
    content = gzip.decompress((own / "train_MINE.txt.gz").read_bytes())
    assert fact["name"] == "MINE"
    assert fact["rows"] == len(content.splitlines())
    assert fact["engines"] == fact["test_engines"] == 3
    assert fact["cycles"]["min"] <= fact["cycles"]["median"] <= fact["cycles"]["max"]
    assert fact["sha256"] == hashlib.sha256(content).hexdigest()
    assert fact["path"] == str(own / "train_MINE.txt.gz")
    assert fact["conditions"] is None
    assert fact["mean_predictor_rmse"] >= 0
    shown = run("info", "MINE", "--data-dir", own).stdout
    assert "MINE" in shown
    assert "unknown" in shown
    assert fact["sha256"] in shown


def test_info_of_a_fleet_without_test_engines(own: Path) -> None:
    (own / "test_MINE.txt.gz").unlink()
    result = run("info", "--data-dir", own)
    assert result.exit_code == 0
    assert "none" in result.stdout


def test_info_makes_a_simulated_fleet_on_request(tmp_path: Path) -> None:
    (fact,) = json.loads(run("info", "SIM1", "--json").stdout)
    assert (fact["conditions"], fact["engines"], fact["test_engines"]) == (1, 100, 100)
    assert fact["path"] == str(tmp_path / "data" / "train_SIM1.txt.gz")


def test_info_without_any_data() -> None:
    assert isinstance(run("info").exception, DataNotFoundError)


@pytest.mark.realdata
def test_info_of_the_real_files(cmapss_dir: Path) -> None:
    facts = json.loads(run("info", "FD001", "FD002", "--data-dir", cmapss_dir, "--json").stdout)
    assert [(fact["rows"], fact["conditions"], round(fact["mean_predictor_rmse"], 1)) for fact in facts] == [
        (20_631, 1, 40.1),
        (53_759, 6, 42.9),
    ]


def test_a_broken_set_is_named_and_the_others_are_told(own: Path, fleet_dir: Path) -> None:
    for path in fleet_dir.iterdir():
        if path.name.endswith(".gz"):
            (own / path.name).write_bytes(path.read_bytes())
    (own / "train_BAD.txt").write_text("1 2 3\n")
    result = run("info", "--data-dir", own)
    assert isinstance(result.exception, DataError)
    assert "train_BAD.txt, line 1: a line must have 26 columns" in str(result.exception)
    assert [line.split()[0] for line in result.stdout.splitlines()[1:3]] == ["MINE", "SIM1"]
    result = run("info", "BAD", "MINE", "NONE", "--data-dir", own, "--json")
    assert isinstance(result.exception, DataError)
    assert str(result.exception).startswith("Of 3 data sets BAD: ")
    assert "; NONE: Data set 'NONE' needs train_NONE.txt" in str(result.exception)
    facts = {fact["name"]: fact.get("problem") for fact in json.loads(result.stdout)}
    assert facts["MINE"] is None
    assert "line 1" in facts["BAD"]
    assert "needs train_NONE.txt" in facts["NONE"]
