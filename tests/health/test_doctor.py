"""Every trouble that `doctor` knows, made to happen, on both databases; and that a fix mends it and nothing else."""

import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import optuna
import psycopg
import pytest
from bounded import ended, join
from reports import settle
from sqlalchemy import insert, select, text, update

from amnl_tune import __version__
from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import SQLITE_WORKERS, Ledger, database_time
from amnl_tune.database.file_systems import NETWORK_FILE_SYSTEMS
from amnl_tune.database.models import AttemptRow, Origin, Outcome, RunRow, RunStatus, WorkerRow
from amnl_tune.database.schema import upgrade
from amnl_tune.errors import StudyError
from amnl_tune.health import disk_checks, worker_checks
from amnl_tune.health.database_checks import CONNECTIONS_A_WORKER, file_system
from amnl_tune.health.doctor import Treated, examine
from amnl_tune.health.finding import Case, Severity
from amnl_tune.health.lease_checks import abandoned_runs
from amnl_tune.host import physical_cores
from amnl_tune.ledger.leases import Budget, Lease, claim, finish, renew
from amnl_tune.ledger.studies import find_study, freeze
from amnl_tune.ledger.workers import WorkerIdentity, attendance, sign_in
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.opening import Workspace, open_study
from amnl_tune.search.worker import open_workplace, work
from amnl_tune.studies.sections import TrialTable
from amnl_tune.studies.spec import StudySpec

BUDGET = Budget(99, 20, None, (), seed=1)


@pytest.fixture
def study(ledger: Ledger, spec: StudySpec) -> str:
    freeze(ledger, spec, "ab" * 32)
    return spec.name


@pytest.fixture
def gone() -> int:
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    ended(process)
    return process.pid


def come(ledger: Ledger, study: str, name: str, **changes: object) -> None:
    """A worker of this process signs in; what else is known of it."""
    sign_in(ledger, WorkerIdentity(name, study, os.getpid(), "cpu", 1))
    unknown: dict[str, object] = {"torch_version": None, "optuna_version": None, "clock_skew": None}
    with ledger.write() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == name).values(**unknown | changes))


def checkpoint(artifacts: Artifacts, folder: str) -> Path:
    return Path(artifacts.store.root) / folder / "checkpoint-000001.pt"


def take(ledger: Ledger, study: str, owner: str, ttl: float = 600.0) -> Lease:
    claimed = claim(find_study(ledger, study), owner, BUDGET, ttl=ttl)
    assert claimed is not None
    return claimed[0]


def run_of(ledger: Ledger, lease: Lease) -> RunRow:
    with ledger.read() as session:
        return session.get_one(RunRow, lease.run)


def looked(ledger: Ledger, home: Path, check: str, study: str | None = None, *, fix: bool = False) -> list[Treated]:
    """What one check found."""
    url = ledger.url.render_as_string(hide_password=False)
    return [one for one in examine(url, Artifacts(home), study, fix=fix) if one.finding.check == check]


def told(ledger: Ledger, home: Path, check: str, study: str | None = None) -> list[tuple[str, str]]:
    return [(str(one.finding.severity), one.finding.what) for one in looked(ledger, home, check, study)]


def severities(ledger: Ledger, home: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in examine(ledger.url.render_as_string(hide_password=False), Artifacts(home)):
        found.setdefault(one.finding.check, set()).add(str(one.finding.severity))
    return found


def case(ledger: Ledger, home: Path, *, skew: float = 0.0, study: str | None = None) -> Case:
    return Case(ledger, study, tuple(attendance(ledger)), Artifacts(home), skew)


def test_a_healthy_service(ledger: Ledger, study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_checks, "LEAST_BYTES", 0)
    come(ledger, study, "w1", optuna_version=optuna.__version__, clock_skew=0.1)
    take(ledger, study, "w1")
    found = severities(ledger, tmp_path)
    found.pop("disk")  # this machine's own
    assert set.union(*found.values()) == {"ok"}
    of_a_kind = {"file system", "sqlite"} if ledger.url.get_backend_name() == "sqlite" else {"connections"}
    common = {
        "schema",
        "studies",
        "foreign trials",
        "leases",
        "workers",
        "versions",
        "clocks",
        "threads",
        "checkpoints",
        "artifacts",
    }
    assert set(found) == common | of_a_kind


def test_a_schema_that_does_not_fit_hides_the_rest(storage: str, tmp_path: Path) -> None:
    upgrade(storage, revision="0001")
    (one,) = examine(storage, tmp_path, fix=True)
    assert (one.is_error, one.finding.check, one.finding.fixable) == (True, "schema", False)
    assert "schema must be 0003, but it is 0001" in one.finding.what
    assert "run `amnl-tune db upgrade`" in one.finding.remedy


def test_an_unknown_study(ledger: Ledger, study: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no 'tinny'"):
        told(ledger, tmp_path, "leases", "tinny")


def test_expired_leases_are_handed_back_without_a_mark(ledger: Ledger, study: str, tmp_path: Path) -> None:
    come(ledger, study, "w1", host="other")
    come(ledger, study, "w2")
    expired = take(ledger, study, "w1", ttl=-30.0)
    settle(ledger, expired, trial_number=0, epochs_done=7)
    held = take(ledger, study, "w3-not-signed-in")  # takes the expired one over
    assert held.run == expired.run
    with ledger.write() as session:
        now = database_time(session)
        session.execute(update(RunRow).values(expires_at=now - 30))
        session.query(AttemptRow).delete()
        session.add(AttemptRow(run=held.run, fence=held.fence, worker=held.owner, started_at=now, epochs_before=0))
    (one,) = looked(ledger, tmp_path, "leases")
    assert (one.finding.severity, one.finding.fixable, one.done) == (Severity.WARNING, True, None)
    assert one.finding.what.startswith(f"trial 0 of study 'tiny' is held by worker {held.owner}, but its lease ran out")
    assert run_of(ledger, held).owner == held.owner
    (mended,) = looked(ledger, tmp_path, "leases", fix=True)
    assert mended.done == "trial 0: handed back after epoch 7; the next worker goes on with it"
    run = run_of(ledger, held)
    assert (run.status, run.owner, run.expires_at, run.failures) == (RunStatus.WAITING, None, None, 1)
    with ledger.read() as session:
        (attempt,) = session.scalars(select(AttemptRow))
    assert (attempt.outcome, attempt.epochs_after, attempt.reason) == (Outcome.VANISHED, 7, "handed back by doctor")
    again = take(ledger, study, "w2")
    assert (again.run, run_of(ledger, again).failures) == (held.run, 1)
    assert told(ledger, tmp_path, "leases") == [("ok", "every lease is held by a worker that renews it")]


def test_a_dead_process_of_this_host_is_known_before_its_lease_runs_out(
    ledger: Ledger, study: str, gone: int, tmp_path: Path
) -> None:
    come(ledger, study, "dead", pid=gone)
    come(ledger, study, "alive")
    lost, kept = take(ledger, study, "dead", ttl=600.0), take(ledger, study, "alive", ttl=600.0)
    (one,) = looked(ledger, tmp_path, "leases")
    assert "held by worker dead, but its process on this host is gone" in one.finding.what
    assert told(ledger, tmp_path, "workers") == [
        ("warning", f"workers of study 'tiny' on this host ended without signing out (process {gone})")
    ]
    url = ledger.url.render_as_string(hide_password=False)
    done = [one.done for one in examine(url, Artifacts(tmp_path), fix=True) if one.done]
    assert done == [
        "trial slot 0: handed back after epoch 0; the next worker goes on with it",
        "dead workers of study 'tiny' signed out: 1",
    ]
    assert (run_of(ledger, lost).owner, run_of(ledger, kept).owner) == (None, "alive")
    assert run_of(ledger, lost).failures == 0
    assert told(ledger, tmp_path, "workers") == [("ok", "every worker shows signs of life, live now: 1")]


def test_a_worker_that_wakes_up_in_the_meantime_keeps_its_run(ledger: Ledger, study: str, tmp_path: Path) -> None:
    come(ledger, study, "w1")
    lease = take(ledger, study, "w1", ttl=-5.0)
    (finding,) = abandoned_runs(case(ledger, tmp_path))
    renew(ledger, lease, ttl=60)
    assert finding.fix is not None
    assert "left alone" in finding.fix()
    assert run_of(ledger, lease).owner == "w1"


def test_silent_workers_of_other_hosts(ledger: Ledger, study: str, tmp_path: Path) -> None:
    come(ledger, study, "w1", host="far/1", pid=77)
    with ledger.write() as session:
        session.execute(text("update amnl_workers set seen_at = seen_at - 500"))
    ((severity, what),) = told(ledger, tmp_path, "workers")
    assert severity == "warning"
    assert "worker w1 of study 'tiny' (process 77 on far) has been silent for" in what


def test_findings_are_of_the_study_that_was_asked_for(
    ledger: Ledger, spec: StudySpec, study: str, gone: int, tmp_path: Path
) -> None:
    freeze(ledger, spec.model_copy(update={"name": "second"}), "ab" * 32)
    come(ledger, "second", "w2", pid=gone, version="0.0.1", clock_skew=99.0)
    take(ledger, "second", "w2", ttl=-5)
    for check in ("leases", "workers", "versions", "clocks"):
        assert [severity for severity, _ in told(ledger, tmp_path, check, study)] == ["ok"], check
    for check in ("leases", "workers"):
        assert [severity for severity, _ in told(ledger, tmp_path, check, "second")] == ["warning"]


def test_mixed_versions(ledger: Ledger, study: str, tmp_path: Path) -> None:
    major = int(optuna.__version__.split(".")[0])
    come(ledger, study, "w1", host="a", optuna_version=optuna.__version__, torch_version="2.9.0")
    come(ledger, study, "w2", host="b", optuna_version=optuna.__version__, torch_version="2.10.0")
    come(ledger, study, "w3", host="b")
    assert told(ledger, tmp_path, "versions") == [
        (
            "warning",
            "workers have different versions of torch: 2.10.0 on b; 2.9.0 on a; a trial that changes workers is then not "
            "the same to the bit",
        )
    ]
    come(ledger, study, "w4", host="c", optuna_version=f"{major - 1}.9.0", version="0.0.1")
    found = told(ledger, tmp_path, "versions")
    assert [severity for severity, _ in found] == ["error", "warning", "warning", "warning"]
    assert f"{major - 1}.9.0 on c" in found[0][1]
    assert f"0.0.1 on c; {__version__} on a, b" in found[1][1]
    with ledger.write() as session:
        session.execute(update(WorkerRow).where(WorkerRow.id == "w4").values(stopped_at=1.0))
        session.execute(update(WorkerRow).values(version="0.0.1", torch_version=None))
    assert told(ledger, tmp_path, "versions") == [
        ("warning", f"workers have amnl-tune 0.0.1, but this is {__version__}")
    ]


def test_clocks(ledger: Ledger, study: str, tmp_path: Path) -> None:
    come(ledger, study, "w1", host="a", clock_skew=1.9)
    come(ledger, study, "w2", host="b", clock_skew=-2.5)
    come(ledger, study, "w3", host="c", clock_skew=None)
    found = told(ledger, tmp_path, "clocks")
    assert [what for _, what in found] == [
        "clocks must agree with the database's within 2 s, but worker w2 on b is 2.5 s behind"
    ]
    here = [finding.what for finding in worker_checks.clocks(case(ledger, tmp_path, skew=60.0))]
    assert here[1] == "clocks must agree with the database's within 2 s, but this host is 60.0 s ahead"


def test_more_threads_than_cores(ledger: Ledger, study: str, tmp_path: Path) -> None:
    cores = physical_cores()
    come(ledger, study, "w1", threads=cores)
    come(ledger, study, "far", threads=64, host="other")
    assert [severity for severity, _ in told(ledger, tmp_path, "threads")] == ["ok"]
    come(ledger, study, "w2", threads=cores)
    (one,) = looked(ledger, tmp_path, "threads")
    assert one.finding.what.endswith(f"but 2 workers have {2 * cores}")
    assert f"--threads {max(1, cores // 2)}" in one.finding.remedy


def crowd(ledger: Ledger, study: str, count: int, host: str) -> None:
    """So many live workers."""
    with ledger.write() as session:
        now = database_time(session)
        row = {"study": study, "host": host, "pid": 1, "process_started": 0.0, "device": "cuda", "threads": 0}
        row |= {"version": __version__, "accelerators": 1.0, "started_at": now, "seen_at": now}
        session.execute(insert(WorkerRow), [row | {"id": f"{host}-{number}"} for number in range(count)])


def test_more_workers_than_the_database_serves(ledger: Ledger, study: str, tmp_path: Path) -> None:
    sqlite = ledger.url.get_backend_name() == "sqlite"
    check = "sqlite" if sqlite else "connections"
    crowd(ledger, study, SQLITE_WORKERS, "far")
    assert [severity for severity, _ in told(ledger, tmp_path, check)] == ["ok"]
    crowd(ledger, study, 1 if sqlite else 100, "farther")
    found = told(ledger, tmp_path, check)
    if sqlite:
        assert found == [
            ("warning", "SQLite serves 8 workers well, but there are 9"),
            ("error", "SQLite is for one host, but workers run on far, farther"),
        ]
    else:
        ((severity, what),) = found
        assert severity == "error"
        assert what.startswith("108 workers may open 216 connections, but the server allows ")


@pytest.mark.slow
@pytest.mark.parametrize("storage", ["postgresql"], indirect=True)
def test_a_worker_holds_no_more_connections_than_said(
    storage: str, spec: StudySpec, source: FleetSource, tmp_path: Path
) -> None:
    """Counted by the server, again and again while a worker works."""
    opener, seen, ended = Ledger(storage), set[int](), threading.Event()
    open_study(Workspace(opener, source, Artifacts(tmp_path)), spec, device="cpu")
    opener.close()
    place = open_workplace(storage, spec.name, source, Artifacts(tmp_path), tensorboard=False)
    mine = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"

    def count() -> None:
        with psycopg.connect(storage, autocommit=True) as connection:
            while not ended.is_set():
                seen.add(int((connection.execute(mine).fetchone() or (0,))[0]))

    counter = threading.Thread(target=count)
    counter.start()
    try:
        work(place, threads=1)
    finally:
        ended.set()
        join(counter)
        place.storage.remove_session()
        place.storage.engine.dispose()
        place.ledger.close()
    assert 1 <= max(seen) <= CONNECTIONS_A_WORKER


@pytest.mark.parametrize("storage", ["postgresql"], indirect=True)
def test_a_server_whose_connections_are_nearly_used_up(
    storage: str, ledger: Ledger, study: str, tmp_path: Path
) -> None:
    with psycopg.connect(storage) as connection:
        (most,) = connection.execute(
            "select setting::int from pg_settings where name = 'max_connections'"
        ).fetchone() or (0,)
    with ExitStack() as stack:
        for _ in range(int(most * 0.8)):
            stack.enter_context(psycopg.connect(storage))
        ((severity, what),) = told(ledger, tmp_path, "connections")
    assert (severity, "the server is nearly full" in what) == ("warning", True)


def test_studies_that_have_grown_too_large(ledger: Ledger, study: str, tmp_path: Path) -> None:
    row: dict[str, Any] = {"study": study, "promotion": 0, "origin": Origin.SAMPLER, "seed": 1}
    row |= {"status": RunStatus.COMPLETE, "fence": 1, "failures": 0, "epochs": 1, "epochs_done": 1}
    with ledger.write() as session:
        session.execute(insert(RunRow), [row | {"slot": slot} for slot in range(10_000)])
    assert told(ledger, tmp_path, "studies") == [("ok", "the largest study has 10000 trials")]
    with ledger.write() as session:
        session.execute(insert(RunRow), [row | {"slot": 10_000}])
    assert told(ledger, tmp_path, "studies") == [
        ("warning", "a study stays quick up to 10000 trials, but 'tiny' has 10001")
    ]


@pytest.mark.parametrize("kind", sorted(NETWORK_FILE_SYSTEMS))
def test_sqlite_on_a_network_file_system(kind: str, tmp_path: Path) -> None:
    mounts = [("/", "ext4"), (str(tmp_path), kind), (str(tmp_path / "ho"), "ext4")]
    found = file_system(tmp_path / "home" / "a.db", mounts)
    assert found.severity is Severity.ERROR
    assert f"is on {tmp_path} ({kind})" in found.what
    local = [*mounts, (str(tmp_path / "home"), "xfs")]
    assert file_system(tmp_path / "home" / "a.db", local).severity is Severity.OK
    hidden = [*mounts, (str(tmp_path), "tmpfs")]
    assert file_system(tmp_path / "home" / "a.db", hidden).what.endswith(f"{tmp_path} (tmpfs)")
    (tmp_path / "link.db").symlink_to("/elsewhere/a.db")
    assert file_system(tmp_path / "link.db", mounts).severity is Severity.OK
    assert file_system(tmp_path / "a.db", []).severity is Severity.OK


def test_disks_without_room(tmp_path: Path) -> None:
    places = [tmp_path, tmp_path / "artifacts" / "not yet made", tmp_path / "a.db"]
    (ok,) = disk_checks.space(places, least=0, share=0)
    assert ok.severity is Severity.OK
    for limits in ({"least": 1e18, "share": 0.0}, {"least": 0.0, "share": 1.1}):
        (short,) = disk_checks.space(places, **limits)
        assert short.severity is Severity.WARNING
        assert f"GB are free at {tmp_path}" in short.what


def written(path: Path, size: int = 100_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def test_checkpoints_that_nobody_needs(ledger: Ledger, study: str, tmp_path: Path) -> None:
    """Those of ended and unknown runs go; of open ones, weights, other people's files and other studies stay."""
    artifacts = Artifacts(tmp_path)
    for number in range(3):
        settle(ledger, take(ledger, study, f"w{number}"), trial_number=number)
    with ledger.write() as session:
        for slot, status in ((0, RunStatus.COMPLETE), (1, RunStatus.WAITING)):
            session.add(
                RunRow(
                    study=study,
                    promotion=1,
                    slot=slot,
                    origin=Origin.SAMPLER,
                    trial_number=0,
                    seed=1,
                    status=status,
                    epochs=9,
                )
            )
    finish(ledger, Lease(1, "w0", 1), RunStatus.PRUNED, value=1.0)
    with ledger.read() as session:
        runs = {(run.promotion, run.slot): run for run in session.scalars(select(RunRow))}
    doomed = [
        written(checkpoint(artifacts, artifacts.folder(runs[0, 0]))),
        written(checkpoint(artifacts, artifacts.folder(runs[0, 0])).with_name(f".checkpoint.pt.{'a' * 32}")),
        written(checkpoint(artifacts, artifacts.trial_folder(study, 77))),
        written(checkpoint(artifacts, artifacts.folder(runs[1, 0]))),
        written(artifacts.home / "artifacts" / study / "promotion-009-run-00" / "checkpoint.pt"),
    ]
    kept = [
        written(checkpoint(artifacts, artifacts.folder(runs[0, 1]))),
        written(checkpoint(artifacts, artifacts.folder(runs[1, 1]))),
        written(Path(artifacts.store.root) / artifacts.weights(runs[1, 0])),
        written(artifacts.home / "artifacts" / study / "promotion-009-run-00" / "model.safetensors"),
        written(checkpoint(artifacts, artifacts.trial_folder(study, 77)).with_name("notes.txt")),
        written(artifacts.home / "artifacts" / study / "trial-mine" / "checkpoint.pt"),
        written(artifacts.home / "artifacts" / study / "checkpoint.pt"),
        written(checkpoint(artifacts, artifacts.trial_folder("another", 0))),
    ]
    orphans, foreign = looked(ledger, tmp_path, "checkpoints")
    assert (
        "checkpoints of tiny/promotion-001-run-00, tiny/promotion-009-run-00, tiny/trial-00000 and 1 more (0.5 MB)"
        in (orphans.finding.what)
    )
    assert "checkpoints of another/trial-00000 (0.1 MB)" in foreign.finding.what
    assert (orphans.finding.fixable, foreign.finding.fixable) == (True, False)
    assert [one.finding.severity for one in looked(ledger, tmp_path, "checkpoints", study)] == [Severity.WARNING]
    assert all(path.exists() for path in (*doomed, *kept))
    mended, _ = looked(ledger, tmp_path, "checkpoints", fix=True)
    assert mended.done is not None
    assert mended.done.startswith("deleted checkpoints of tiny/promotion-001-run-00, tiny/promotion-009")
    assert not [path for path in doomed if path.exists()]
    assert all(path.exists() for path in kept)
    assert not checkpoint(artifacts, artifacts.folder(runs[0, 0])).parent.exists()
    assert [one.finding.severity for one in looked(ledger, tmp_path, "checkpoints", study)] == [Severity.OK]


def test_a_trial_that_a_promotion_may_go_on_from_keeps_its_checkpoint(
    ledger: Ledger, spec: StudySpec, tmp_path: Path
) -> None:
    longer = spec.model_copy(update={"trial": TrialTable(epochs=2, horizon=4, checkpoint_every=1)})
    freeze(ledger, longer, "ab" * 32)
    leases = [take(ledger, spec.name, f"w{number}") for number in range(2)]
    for number, lease in enumerate(leases):
        settle(ledger, lease, trial_number=number)
        written(checkpoint(Artifacts(tmp_path), Artifacts(tmp_path).trial_folder(spec.name, number)))
    finish(ledger, leases[0], RunStatus.COMPLETE, value=1.0)
    finish(ledger, leases[1], RunStatus.PRUNED, value=1.0)
    (one,) = looked(ledger, tmp_path, "checkpoints", fix=True)
    assert "checkpoints of tiny/trial-00001 (" in str(one.done)
    assert checkpoint(Artifacts(tmp_path), Artifacts(tmp_path).trial_folder(spec.name, 0)).exists()
