"""Runs that nobody works on although somebody holds them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import RunRow, RunStatus
from amnl_tune.health.finding import Case, Finding, Severity
from amnl_tune.ledger.leases import take_back
from amnl_tune.ledger.workers import Presence, bury_dead


@dataclass(frozen=True)
class _Abandoned:
    run: RunRow
    since: float
    """Seconds since its lease ran out; negative where its holder is known to be dead before that."""

    @property
    def name(self) -> str:
        run = self.run
        what = f"trial {run.trial_number}" if run.trial_number is not None else f"trial slot {run.slot}"
        return what if run.is_trial else f"run {run.slot} of promotion {run.promotion}"


def abandoned_runs(case: Case) -> Iterator[Finding]:
    """Leases that ran out, and leases of processes of this host that are gone."""
    found = _abandoned(case)
    for one in found:
        run = one.run
        why = f"its lease ran out {one.since:.0f} s ago" if one.since > 0 else "its process on this host is gone"
        yield Finding(
            Severity.WARNING,
            "leases",
            f"{one.name} of study {run.study!r} is held by worker {run.owner}, but {why}",
            "any worker of the study takes it over; start one, or hand it back with --fix",
            partial(_hand_back, case.ledger, one),
        )
    if not found:
        yield Finding(Severity.OK, "leases", "every lease is held by a worker that renews it")


def _abandoned(case: Case) -> list[_Abandoned]:
    dead = {worker.id for worker in case.workers if worker.presence is Presence.DEAD}
    query = select(RunRow).where(RunRow.status == RunStatus.RUNNING, RunRow.owner.is_not(None)).order_by(RunRow.id)
    if case.study is not None:
        query = query.where(RunRow.study == case.study)
    with case.ledger.read() as session:
        now = database_time(session)
        runs = [_Abandoned(run, now - (run.expires_at or now)) for run in session.scalars(query)]
    return [one for one in runs if one.since > 0 or one.run.owner in dead]


def _hand_back(ledger: Ledger, one: _Abandoned) -> str:
    if not take_back(ledger, one.run):
        return f"{one.name}: left alone, somebody is at work on it again"
    return f"{one.name}: handed back after epoch {one.run.epochs_done}; the next worker goes on with it"


def dead_workers(case: Case) -> Iterator[Finding]:
    """Processes that ended without a word: on this host for certain, elsewhere by their silence."""
    workers = case.of_study(case.workers)
    for study in sorted({worker.study for worker in workers if worker.presence is Presence.DEAD}):
        dead = [worker for worker in workers if worker.presence is Presence.DEAD and worker.study == study]
        pids = ", ".join(str(worker.pid) for worker in dead)
        yield Finding(
            Severity.WARNING,
            "workers",
            f"workers of study {study!r} on this host ended without signing out (process {pids})",
            "see their logs; the next worker here signs them out, or --fix does",
            partial(_sign_out, case.ledger, study, len(dead)),
        )
    silent = [worker for worker in workers if worker.presence is Presence.SILENT]
    for worker in silent:
        yield Finding(
            Severity.WARNING,
            "workers",
            f"worker {worker.id} of study {worker.study!r} (process {worker.pid} on {worker.host.split('/')[0]}) has "
            f"been silent for {worker.seen_ago:.0f} s",
            "see whether it still runs there; `amnl-tune doctor --fix` on that host signs out what does not",
        )
    if not silent and all(worker.presence.is_alive for worker in workers):
        yield Finding(Severity.OK, "workers", f"every worker shows signs of life, live now: {len(workers)}")


def _sign_out(ledger: Ledger, study: str, count: int) -> str:
    bury_dead(ledger, study)
    return f"dead workers of study {study!r} signed out: {count}"
