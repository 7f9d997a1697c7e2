"""Two hosts on one database whose files are not the same: told before anything is trained."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner, Result

from amnl_tune.artifacts import Artifacts, ArtifactStore
from amnl_tune.cli.app import app
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import AttemptRow, WorkerRow
from amnl_tune.database.optuna_storage import borrowed_storage
from amnl_tune.errors import StudyError
from amnl_tune.ledger.artifact_probe import ATTRIBUTE, recorded_probes, require_shared_artifacts
from amnl_tune.ledger.studies import find_study, freeze
from amnl_tune.ledger.workers import WorkerIdentity, sign_in
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.trials import create_optuna_study
from amnl_tune.studies.spec import StudySpec


@pytest.fixture
def study(ledger: Ledger, spec: StudySpec) -> str:
    """One of an older version: nobody has written a probe."""
    freeze(ledger, spec, "ab" * 32)
    with borrowed_storage(ledger) as storage:
        create_optuna_study(storage, spec, new=True)
    return spec.name


@pytest.mark.parametrize("kind", ["folder", "file", "memory", pytest.param("s3", marks=pytest.mark.slow)])
def test_everybody_reads_the_probe_of_whoever_came_first(
    kind: str, ledger: Ledger, study: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bucket = request.getfixturevalue("s3_bucket") if kind == "s3" else ""
    root = {"folder": str(tmp_path), "file": f"file://{tmp_path}", "memory": "memory:/", "s3": bucket}[kind]
    first, other = f"{root}/{tmp_path.name}-a", f"{root}/{tmp_path.name}-b"
    require_shared_artifacts(find_study(ledger, study), ArtifactStore(first))
    probe = recorded_probes(ledger, [study])[study]
    assert ArtifactStore(first).read(probe.file(study)) == probe.token.encode()
    require_shared_artifacts(find_study(ledger, study), ArtifactStore(first))
    assert recorded_probes(ledger, [study]) == {study: probe}
    with pytest.raises(StudyError) as refused:
        require_shared_artifacts(find_study(ledger, study), ArtifactStore(other))
    said = str(refused.value)
    assert "\n" not in said
    assert f"those of 'tiny' are in {first}" in said
    assert f"is not in {other}" in said
    assert "set --artifacts or AMNL_TUNE_ARTIFACTS to one URL or network folder" in said
    ArtifactStore(first).write(probe.file(study), b"another study's")
    with pytest.raises(StudyError, match="must reach the same artifacts"):
        require_shared_artifacts(find_study(ledger, study), ArtifactStore(first))


def test_of_two_that_come_at_once_one_probe_stays(storage: str, ledger: Ledger, study: str, tmp_path: Path) -> None:
    code = (
        "import sys; from amnl_tune.ledger.artifact_probe import *; from amnl_tune.artifacts import ArtifactStore; "
        "from amnl_tune.database.engine import Ledger; from amnl_tune.ledger.studies import find_study; sys.stdin.read(1); "
        f"require_shared_artifacts(find_study(Ledger({storage!r}), 'tiny'), ArtifactStore({str(tmp_path / 'artifacts')!r}))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) for _ in range(2)]
    for process in started:
        process.communicate(b"x", timeout=300)
    assert [process.returncode for process in started] == [0, 0]
    left = [file.name for file in (tmp_path / "artifacts" / "tiny").iterdir()]
    assert left == [f"probe-{recorded_probes(ledger, [study])[study].token}.txt"]


def test_no_secret_is_recorded(ledger: Ledger, study: str) -> None:
    store = ArtifactStore("memory://place")
    store.url = "sftp://me:secret@place"
    require_shared_artifacts(find_study(ledger, study), store)
    with borrowed_storage(ledger) as storage:
        noted = storage.get_study_user_attrs(storage.get_study_id_from_name(study))[ATTRIBUTE]
    assert "secret" not in noted
    assert "***" in json.loads(noted)["url"]


@pytest.mark.slow
def test_two_hosts_with_folders_of_their_own(
    sqlite_ledger: Ledger, spec: StudySpec, fleet_dir: Path, tmp_path: Path
) -> None:
    """Of two real workers the one whose files nobody else could read trains nothing; so do `run` and `promote`."""
    storage = sqlite_ledger.url.render_as_string(hide_password=False)
    homes = tmp_path / "a", tmp_path / "b"
    open_study(Workspace(sqlite_ledger, FleetSource((fleet_dir,)), Artifacts(homes[0])), spec, device="cpu")
    given = os.environ | {"AMNL_TUNE_STORAGE": storage, "AMNL_TUNE_DATA": str(fleet_dir), "AMNL_TUNE_HOME": ""}
    command = [sys.executable, "-m", "amnl_tune", "worker", "tiny", "--threads", "1", "--no-tensorboard"]
    workers = [
        subprocess.Popen([*command, "--home", str(home)], env=given, stderr=subprocess.PIPE, text=True)
        for home in homes
    ]
    said = [worker.communicate(timeout=300)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 2], said
    last = said[1].strip().splitlines()[-1]
    assert last.startswith("Error: All workers of a study must reach the same artifacts, but those of 'tiny' are in ")
    assert "Traceback" not in said[1]
    with sqlite_ledger.read() as session:
        assert len(list(session.scalars(select(WorkerRow)))) == 1
        assert len(list(session.scalars(select(AttemptRow)))) == 4
    file = tmp_path / "tiny.toml"
    file.write_text((Path(__file__).parents[1] / "tiny.toml").read_text())
    places = ("--storage", storage, "--data-dir", str(fleet_dir), "--home", str(homes[1]))
    for asked in (("run", str(file)), ("promote", "tiny")):
        refused = CliRunner().invoke(app, [*asked, *places])
        assert refused.exit_code == 2, refused.output
        assert "must reach the same artifacts" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
    one = CliRunner().invoke(app, ["promote", "tiny", *places, "--artifacts", str(homes[0] / "artifacts")])
    assert one.exit_code == 0, one.output


def test_doctor_tells_and_where_nobody_works_moves_the_study(
    sqlite_ledger: Ledger, spec: StudySpec, source: FleetSource, tmp_path: Path
) -> None:
    open_study(Workspace(sqlite_ledger, source, Artifacts(tmp_path / "a")), spec, device="cpu")
    storage = sqlite_ledger.url.render_as_string(hide_password=False)

    def doctor(*options: str) -> Result:
        return CliRunner().invoke(app, ["doctor", *options, "--storage", storage, "--home", str(tmp_path / "b")])

    def found(*options: str) -> dict[str, object]:
        (one,) = [one for one in json.loads(doctor("--json", *options).stdout) if one["check"] == "artifacts"]
        return dict(one)

    assert doctor().exit_code == 0
    assert (found()["severity"], found("--fix")["done"]) == ("warning", None), "not asked about this study"
    assert "files of study 'tiny' are in" in str(found()["what"])
    sign_in(sqlite_ledger, WorkerIdentity("w1", "tiny", os.getpid(), "cpu", 1))
    assert doctor().exit_code == 1
    busy = found("tiny", "--fix")
    assert (busy["severity"], busy["done"]) == ("error", None)
    with sqlite_ledger.write() as session:
        session.delete(session.get_one(WorkerRow, "w1"))
    assert "are kept in" in str(found("tiny", "--fix")["done"])
    assert found()["severity"] == "ok"
    require_shared_artifacts(find_study(sqlite_ledger, "tiny"), Artifacts(tmp_path / "b").store)
    with pytest.raises(StudyError, match="must reach the same artifacts"):
        require_shared_artifacts(find_study(sqlite_ledger, "tiny"), Artifacts(tmp_path / "a").store)
