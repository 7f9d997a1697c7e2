"""Who is shown as working, waiting, dead, silent or gone, on both databases."""

import os
import subprocess
import sys

import pytest
from bounded import ended
from reports import report_epoch, settle
from sqlalchemy import event, text, update

from amnl_tune import __version__
from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import AttemptRow, Origin, PromotionRow, RunRow, RunStatus, WorkerRow
from amnl_tune.host import host_name
from amnl_tune.ledger.leases import Budget, claim
from amnl_tune.ledger.progress import progress
from amnl_tune.ledger.studies import find_study, freeze
from amnl_tune.ledger.workers import (
    Attendance,
    Presence,
    WorkerIdentity,
    attendance,
    bury_dead,
    hosts_of_live_workers,
    live_workers,
    live_workers_here,
    sign_in,
    sign_out,
)
from amnl_tune.studies.spec import StudySpec

BUDGET = Budget(9, 20, None, (), seed=1)


@pytest.fixture
def study(ledger: Ledger, spec: StudySpec) -> str:
    freeze(ledger, spec, "ab" * 32)
    return spec.name


def come(ledger: Ledger, study: str, name: str, **changes: object) -> WorkerIdentity:
    """A worker of this process signs in."""
    worker = WorkerIdentity(name, study, os.getpid(), "cpu", 1)
    sign_in(ledger, worker)
    change(ledger, name, **changes)
    return worker


def change(ledger: Ledger, name: str, **changes: object) -> None:
    if changes:
        with ledger.write() as session:
            session.execute(update(WorkerRow).where(WorkerRow.id == name).values(**changes))


def by_name(ledger: Ledger, study: str | None = None, *, everyone: bool = False) -> dict[str, Attendance]:
    return {one.id: one for one in attendance(ledger, study, everyone=everyone)}


def test_a_worker_with_a_trial(ledger: Ledger, study: str) -> None:
    come(ledger, study, "w1", accelerators=0.25)
    claimed = claim(find_study(ledger, study), "w1", BUDGET, ttl=60)
    assert claimed is not None
    before = by_name(ledger)["w1"].assignment
    assert before is not None
    assert (before.label, before.epoch, before.samples_per_second, before.trial_number) == ("new trial", 0, None, None)
    settle(ledger, claimed[0], trial_number=4)
    report_epoch(ledger, claimed[0], samples=500, seconds=0.25)
    report_epoch(ledger, claimed[0], number=2, samples=1000, seconds=0.25)
    found = by_name(ledger)["w1"]
    assert (found.presence, found.host, found.pid, found.device) == (Presence.WORKING, host_name(), os.getpid(), "cpu")
    assert (found.study, found.threads, found.accelerators, found.version) == (study, 1, 0.25, __version__)
    assert found.seen_ago >= 0
    run = found.assignment
    assert run is not None
    assert (run.label, run.epoch, run.epochs, run.samples_per_second) == ("trial 4", 2, 20, 4000.0)
    assert run.lease_left <= 60


def test_the_age_of_a_lease_counts_from_the_claim(ledger: Ledger, study: str) -> None:
    come(ledger, study, "w1")
    claimed = claim(find_study(ledger, study), "w1", BUDGET, ttl=60)
    assert claimed is not None
    lease = claimed[0]
    with ledger.write() as session:
        now = database_time(session)
        session.query(AttemptRow).delete()
        for fence, ago in ((lease.fence, 100.0), (lease.fence + 7, 5.0)):
            session.add(AttemptRow(run=lease.run, fence=fence, worker="w1", started_at=now - ago, epochs_before=0))
    run = by_name(ledger)["w1"].assignment
    assert run is not None
    assert run.lease_age is not None
    assert run.lease_age >= 100


def test_a_promoted_run(ledger: Ledger, study: str) -> None:
    come(ledger, study, "w1")
    with ledger.write() as session:
        session.add(PromotionRow(study=study, number=2, fingerprint="f", created_at=0.0))
        session.add(
            RunRow(
                study=study,
                promotion=2,
                slot=0,
                origin=Origin.SAMPLER,
                trial_number=3,
                seed=123,
                status=RunStatus.WAITING,
                epochs=100,
            )
        )
    assert claim(find_study(ledger, study), "w1", BUDGET, ttl=60, promotion=2) is not None
    run = by_name(ledger)["w1"].assignment
    assert run is not None
    assert (run.label, run.promotion, run.seed, run.epochs) == ("promotion 2 of trial 3, seed 123", 2, 123, 100)


def test_who_is_there_and_who_is_not(ledger: Ledger, study: str) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    ended(gone)
    come(ledger, study, "waiting")
    come(ledger, study, "dead", pid=gone.pid)
    come(ledger, study, "reused", process_started=1.0)  # its number is another process's now
    come(ledger, study, "elsewhere", host="other", pid=gone.pid)
    come(ledger, study, "silent", host="other")
    come(ledger, study, "training", host="other")
    assert claim(find_study(ledger, study), "training", BUDGET, ttl=600) is not None
    with ledger.write() as session:
        old = "update amnl_workers set seen_at = seen_at - 1000 where id in ('silent', 'training', 'waiting')"
        session.execute(text(old))
    sign_out(ledger, come(ledger, study, "left"))
    found = by_name(ledger, everyone=True)
    assert {name: str(one.presence) for name, one in found.items()} == {
        "waiting": "waiting",
        "dead": "dead",
        "reused": "dead",
        "elsewhere": "waiting",
        "silent": "silent",
        "training": "working",
        "left": "left",
    }
    assert "left" not in by_name(ledger)
    assert found["silent"].seen_ago > 999
    alive = {name for name, one in found.items() if one.presence.is_alive}
    assert alive == {"elsewhere", "training", "waiting"}
    assert {worker.id for worker in progress(find_study(ledger, study)).workers} == alive
    with ledger.read() as session:
        now = database_time(session)
        assert {worker.id for worker in live_workers(session, now)} == alive
        assert hosts_of_live_workers(session, now) == {study: sorted([host_name(), "other", "other"])}
    assert live_workers_here(ledger) == 1
    bury_dead(ledger, study)
    assert set(by_name(ledger)) == {"elsewhere", "silent", "training", "waiting"}


def test_a_machine_that_was_started_again_has_none_of_its_former_workers(ledger: Ledger, study: str) -> None:
    come(ledger, study, "before", host=f"{host_name().rpartition('/')[0]}/another-boot")
    assert by_name(ledger)["before"].presence is Presence.WAITING
    with ledger.write() as session:
        session.execute(text("update amnl_workers set seen_at = seen_at - 181"))
    assert by_name(ledger)["before"].presence is Presence.DEAD


def test_a_run_that_another_worker_took_over_is_no_longer_the_first_s(ledger: Ledger, study: str) -> None:
    come(ledger, study, "w1", host="other")
    come(ledger, study, "w2")
    assert claim(find_study(ledger, study), "w1", BUDGET, ttl=-1) is not None
    late = by_name(ledger)["w1"].assignment
    assert late is not None
    assert late.lease_left < 0
    assert claim(find_study(ledger, study), "w2", BUDGET, ttl=60) is not None
    found = by_name(ledger)
    assert found["w1"].assignment is None
    assert found["w2"].assignment is not None


def test_studies_are_told_apart_and_one_look_is_one_query(ledger: Ledger, spec: StudySpec, study: str) -> None:
    freeze(ledger, spec.model_copy(update={"name": "second"}), "ab" * 32)
    for number in range(6):
        name = study if number % 2 else "second"
        come(ledger, name, f"w{number}")
        assert claim(find_study(ledger, name), f"w{number}", BUDGET, ttl=60) is not None
    assert set(by_name(ledger, "second")) == {"w0", "w2", "w4"}
    statements: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    assert len(attendance(ledger)) == 6
    assert len([statement for statement in statements if "amnl_" in statement]) == 1
