"""The whole line as real processes: from a study file to an export, interrupted, shared, on a full disk, without data."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from here import train_here
from sqlalchemy import select

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow, RunStatus, StudyRow
from amnl_tune.errors import StorageError
from amnl_tune.results.export.bundle import load_bundle

pytestmark = pytest.mark.slow


class Bench:
    """A home folder, a study file in it, and `amnl-tune run` as a process."""

    def __init__(self, home: Path, text: str, data: Path) -> None:
        self.home, self.file, self.data = home, home / "tiny.toml", data
        home.mkdir(parents=True, exist_ok=True)
        self.file.write_text(text)

    def start(self, *options: str) -> "subprocess.Popen[str]":
        environment = os.environ | {"AMNL_TUNE_HOME": str(self.home), "AMNL_TUNE_DATA": str(self.data)}
        return subprocess.Popen(
            [sys.executable, "-m", "amnl_tune", "run", str(self.file), "--out", str(self.home / "export"), *options],
            env=environment,
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *options: str) -> tuple[int, str, str]:
        process = self.start(*options)
        out, err = process.communicate(timeout=1200)
        return process.returncode, out, err

    def results(self) -> list[tuple[object, ...]]:
        """What the study found, less anything about when and who."""
        ledger = Ledger(f"sqlite:///{self.home / 'amnl_tune.db'}")
        with ledger.read() as session:
            runs = list(session.scalars(select(RunRow).order_by(RunRow.promotion, RunRow.slot)))
            curves = {
                run.id: [
                    (epoch.number, epoch.train_rul_loss, epoch.validation_rmse)
                    for epoch in session.scalars(
                        select(EpochRow).where(EpochRow.run == run.id).order_by(EpochRow.number)
                    )
                ]
                for run in runs
            }
        ledger.close()
        return [(run.promotion, run.slot, str(run.status), run.value, curves[run.id]) for run in runs]

    def is_being_prepared(self) -> bool:
        """Whether the study exists and its learning-rate prior does not."""
        if not (self.home / "amnl_tune.db").exists():
            return False
        ledger = Ledger(f"sqlite:///{self.home / 'amnl_tune.db'}")
        try:
            with ledger.read() as session:
                return session.scalars(select(StudyRow.prepared_at)).all() == [None]
        except StorageError:  # the tables are only being made
            return False
        finally:
            ledger.close()

    def wait_until(self, promotion: int, epochs: int) -> None:
        """Until the runs of a promotion (0: the trials) have so many epochs together."""
        until = time.monotonic() + 900
        while time.monotonic() < until:
            if (self.home / "amnl_tune.db").exists():
                ledger = Ledger(f"sqlite:///{self.home / 'amnl_tune.db'}")
                try:
                    with ledger.read() as session:
                        query = select(RunRow.epochs_done).where(RunRow.promotion == promotion)
                        if sum(session.scalars(query)) >= epochs:
                            return
                except StorageError:  # the tables are only being made
                    pass
                finally:
                    ledger.close()
            time.sleep(0.05)
        raise AssertionError("not reached in fifteen minutes")


@pytest.fixture
def bench(tmp_path: Path, tiny_study: str, fleet_dir: Path) -> Bench:
    return Bench(tmp_path / "home", tiny_study, fleet_dir)


def test_from_a_file_to_an_export_and_again(bench: Bench) -> None:
    code, out, err = bench.run()
    assert (code, err) == (0, "")
    assert "search: trial" in out
    assert "promotion of trial" in out
    for told in (
        "promotion: fitting gradient boosting, then scoring the test engines",
        "Best trials",
        "LR range test",
        "published defaults",
        "than gradient boosting on",
        "gradient boosting",
        "age alone",
        "mean predictor",
        "Export",
        "Report",
        "Try next",
    ):
        assert told in out
    assert "Simulated data" in out
    assert len(re.findall(r"^  .*amnl[-_]tune (dashboard|predict|run|plan) ", out, flags=re.MULTILINE)) == 4
    exported = load_bundle(bench.home / "export")
    assert exported.config.dataset == "SIM1"
    assert exported.model is None or exported.config.epochs == 4  # boosting alone has no run
    assert (bench.home / "reports" / "tiny.html").exists()
    assert len(list((bench.home / "tensorboard" / "tiny").iterdir())) == 4 + len(
        {r[1] for r in bench.results() if r[0]}
    )
    before = bench.results()

    code, out, _ = bench.run("--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["search_finished"]
    assert facts["promotion"]["looks_at_test"] == 1
    assert facts["trials"]["complete"] == 4
    assert facts["promotion"]["winner"]["test_rmse"] > 0
    assert bench.results() == before

    bench.file.write_text(bench.file.read_text().replace("trials = 4", "trials = 5"))
    code, out, _ = bench.run()
    assert code == 0
    assert "Study 'tiny' extended: 5 trials" in out
    assert bench.results()[:4] == before[:4]

    bench.file.write_text(bench.file.read_text().replace("stride = 8", "stride = 7"))
    code, _, err = bench.run()
    assert code == 2
    assert "fixed.stride was 8, is 7" in err
    assert err.count("\n") == 1


def test_interrupted_and_continued_is_undisturbed(
    bench: Bench, tmp_path: Path, tiny_study: str, fleet_dir: Path
) -> None:
    """In the search, and again in the promotion."""
    longer = tiny_study.replace("epochs = 3", "epochs = 6").replace("epochs = 4", "epochs = 40")
    bench.file.write_text(longer)
    for promotion, epochs in ((0, 2), (1, 1)):
        victim = bench.start()
        bench.wait_until(promotion, epochs)
        victim.send_signal(signal.SIGINT)
        out, err = victim.communicate(timeout=900)
        assert victim.returncode == 2, out + err
        assert err.strip().splitlines()[-1].startswith("Interrupted: everything up to here is kept")
        assert "Traceback" not in err
        assert any(result[2] == RunStatus.WAITING for result in bench.results() if result[0] == promotion)
    code, _, err = bench.run()
    assert (code, err) == (0, "")
    undisturbed = Bench(tmp_path / "undisturbed", longer, fleet_dir)
    train_here(undisturbed.file, undisturbed.home, fleet_dir)
    assert bench.results() == undisturbed.results()


def test_interrupted_in_the_lr_range_test(bench: Bench) -> None:
    """The study is there, but nothing of it is settled yet."""
    text = bench.file.read_text().replace("workers = 2", "workers = 1")
    bench.file.write_text(text.replace("num_iter = 60", "num_iter = 1500"))
    victim = bench.start()
    until = time.monotonic() + 180
    while time.monotonic() < until and not bench.is_being_prepared():
        time.sleep(0.05)
    victim.send_signal(signal.SIGINT)
    _, err = victim.communicate(timeout=180)
    assert (victim.returncode, err.count("\n")) == (2, 1), err
    assert bench.is_being_prepared()
    assert bench.run()[0] == 0


def test_two_runs_at_once_share_the_work(bench: Bench) -> None:
    bench.file.write_text(bench.file.read_text().replace("trials = 4", "trials = 7"))
    both = [bench.start(), bench.start()]
    told = [process.communicate(timeout=1200) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    found = bench.results()
    assert [result[1] for result in found if result[0] == 0] == list(range(7))
    assert {result[2] for result in found} == {"complete"}
    ledger = Ledger(f"sqlite:///{bench.home / 'amnl_tune.db'}")
    with ledger.read() as session:
        assert session.connection().exec_driver_sql("select count(*), sum(forced) from amnl_test_scores").one() == (
            1,
            0,
        )
        assert session.connection().exec_driver_sql("select count(*) from trials").scalar_one() == 7
    ledger.close()


def test_without_data_and_network_the_simulated_fleet_steps_in_loudly(bench: Bench, tmp_path: Path) -> None:
    text = bench.file.read_text().replace('dataset = "SIM1"', 'dataset = "FD001"\nfallback = "SIM1"')
    text = text.replace("workers = 2", "workers = 1")
    bench.file.write_text(text.replace("stride = 8", "stride = 40").replace("batch_size = 32", "batch_size = 16"))
    blocked = {"https_proxy": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}
    process = subprocess.run(
        [sys.executable, "-m", "amnl_tune", "run", str(bench.file), "--out", str(bench.home / "export")],
        env=os.environ | blocked | {"AMNL_TUNE_HOME": str(bench.home)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert "SIMULATED DATA" in process.stdout
    assert "FD001 can neither be found nor downloaded" in process.stdout
    assert "Reason: " in process.stdout
    assert "study 'tiny-SIM1'" in process.stdout
    assert load_bundle(bench.home / "export").provenance["dataset"] == "SIM1"


@pytest.fixture
def small_disk(tmp_path: Path) -> "object":
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=300)


def test_a_full_disk_is_one_line_and_loses_nothing(small_disk: Path, tiny_study: str, fleet_dir: Path) -> None:
    bench = Bench(small_disk / "home", tiny_study.replace("workers = 2", "workers = 1"), fleet_dir)
    code, _, err = bench.run("--no-tensorboard")
    assert code == 2
    assert err.count("\n") == 1, err
    assert "No space left" in err or "disk is full" in err
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True, timeout=300)
    assert bench.run("--no-tensorboard")[0] == 0
    assert [result[2] for result in bench.results() if result[0] == 0] == ["complete"] * 4
