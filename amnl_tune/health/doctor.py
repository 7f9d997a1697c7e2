"""Looks for what goes wrong in a distributed service before it is asked about, and mends what is safe to mend."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.inspection import database_status
from amnl_tune.health import database_checks, disk_checks, lease_checks, worker_checks
from amnl_tune.health.finding import Case, Finding, Severity
from amnl_tune.ledger.studies import find_study
from amnl_tune.ledger.workers import attendance

CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    database_checks.local_file,
    database_checks.sqlite_workers,
    database_checks.connections,
    database_checks.studies,
    database_checks.study_files,
    database_checks.strangers,
    lease_checks.abandoned_runs,
    lease_checks.dead_workers,
    worker_checks.versions,
    worker_checks.clocks,
    worker_checks.threads,
    disk_checks.room,
    worker_checks.shared_artifacts,
    disk_checks.leftovers,
    disk_checks.kept_checkpoints,
    disk_checks.unfinished_files,
)


@dataclass(frozen=True)
class Treated:
    """A finding, and what was done about it; None: nothing."""

    finding: Finding
    done: str | None

    @property
    def is_error(self) -> bool:
        """Whether results or data are still at risk after what was done."""
        return self.finding.severity is Severity.ERROR and self.done is None

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable: severity, check, what, remedy, fixable, done."""
        found = self.finding
        told = {name: str(getattr(found, name)) for name in ("severity", "check", "what", "remedy")}
        return told | {"fixable": found.fixable, "done": self.done}


def examine(storage: str, artifacts: Artifacts, study: str | None = None, *, fix: bool = False) -> list[Treated]:
    """Every check's findings, `ok` ones too. Where the schema does not fit, that one alone: nothing else can be read.

    Args:
        storage: its URL.
        artifacts: where files are.
        study: a name; None: all studies.
        fix: mend what is fixable, one after the other.

    Raises:
        StorageError: the database does not answer. StudyError: unknown study.
    """
    status = database_status(storage)
    if status.problem:
        return [Treated(Finding(Severity.ERROR, "schema", status.problem.what, status.problem.remedy), None)]
    ledger = Ledger(storage)
    try:
        if study is not None:
            find_study(ledger, study)
        case = Case(ledger, study, tuple(attendance(ledger)), artifacts, _skew(ledger))
        schema = Finding(Severity.OK, "schema", f"schema {status.schema}, Optuna's {status.optuna_schema}")
        findings = [schema, *(finding for check in CHECKS for finding in check(case))]
        return [Treated(found, found.fix() if fix and found.fix else None) for found in findings]
    finally:
        ledger.close()


def _skew(ledger: Ledger) -> float:
    """This host's clock less the database's, by the middle of the question and its answer."""
    before = time.time()
    with ledger.read() as session:
        answered = database_time(session)
    return (before + time.time()) / 2 - answered
