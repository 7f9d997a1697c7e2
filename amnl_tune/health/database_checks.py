"""Whether the database can bear what is asked of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import func, select

from amnl_tune.database.engine import SQLITE_WORKERS
from amnl_tune.database.file_systems import is_shared, mount_of, mounts
from amnl_tune.database.inspection import connections as server_connections
from amnl_tune.database.models import RunRow
from amnl_tune.health.finding import Case, Finding, Severity
from amnl_tune.host import machine_of
from amnl_tune.ledger.own_trials import foreign_trials
from amnl_tune.ledger.stored import told_apart
from amnl_tune.ledger.studies import all_studies
from amnl_tune.studies.names import numbered

CONNECTIONS_A_WORKER = 2
"""At most: one of its own, one of the thread that reports (measured by a test)."""

NEARLY_FULL = 0.8
"""Share of a server's connections in use."""

MANY_TRIALS = 10_000
"""Trials of a study beyond which Optuna gets slow (optuna: Traps)."""


def sqlite_workers(case: Case) -> Iterator[Finding]:
    """More workers than one writer at a time can serve."""
    if case.ledger.url.get_backend_name() != "sqlite":
        return
    count = len(case.alive)
    hosts = sorted({machine_of(worker.host) for worker in case.alive})
    if count > SQLITE_WORKERS:
        yield Finding(
            Severity.WARNING,
            "sqlite",
            f"SQLite serves {SQLITE_WORKERS} workers well, but there are {count}",
            "move to PostgreSQL: `amnl-tune db backup`, then `amnl-tune db restore` there",
        )
    if len(hosts) > 1:
        yield Finding(
            Severity.ERROR,
            "sqlite",
            f"SQLite is for one host, but workers run on {', '.join(hosts)}",
            "move to PostgreSQL: `amnl-tune db backup`, then `amnl-tune db restore` there",
        )
    if count <= SQLITE_WORKERS and len(hosts) <= 1:
        yield Finding(Severity.OK, "sqlite", f"SQLite serves {SQLITE_WORKERS} workers well, live now: {count}")


def connections(case: Case) -> Iterator[Finding]:
    """What live workers may open, and what is open now, against what the server allows."""
    with case.ledger.read() as session:
        server = server_connections(session.connection())
    if server is None:
        return
    wanted = len(case.alive) * CONNECTIONS_A_WORKER
    facts = f"{server.used} of {server.available} connections in use"
    remedy = "raise max_connections on the server, or start fewer workers"
    if wanted > server.available:
        what = f"{len(case.alive)} workers may open {wanted} connections, but the server allows {server.available}"
        yield Finding(Severity.ERROR, "connections", what, remedy)
    elif server.used > NEARLY_FULL * server.available:
        yield Finding(Severity.WARNING, "connections", f"the server is nearly full: {facts}", remedy)
    else:
        yield Finding(Severity.OK, "connections", f"{facts}, {wanted} at most by workers")


def local_file(case: Case) -> Iterator[Finding]:
    """SQLite on a file system of this host."""
    if case.ledger.url.get_backend_name() == "sqlite":
        yield file_system(Path(str(case.ledger.url.database)), mounts())


def file_system(file: Path, among: Iterable[tuple[str, str]]) -> Finding:
    """Whether a database file may be where it is; `among` as `mounts` gives them."""
    point, kind = mount_of(file, among)
    if is_shared(kind):
        return Finding(
            Severity.ERROR,
            "file system",
            f"SQLite must be on a disk of one host, but {file} is on {point} ({kind}), where locks cannot be relied on",
            "move the file to a local disk, or to PostgreSQL: `amnl-tune db backup`, then `amnl-tune db restore` there",
        )
    return Finding(Severity.OK, "file system", f"the database is on {point or 'a local disk'} ({kind or 'unknown'})")


def study_files(case: Case) -> Iterator[Finding]:
    """Each stored one that cannot be read: whatever is told of all studies leaves it out."""
    rows = [row for row in all_studies(case.ledger) if case.study in {None, row.name}]
    _, problems = told_apart(rows)
    for problem in problems.values():
        yield Finding(Severity.ERROR, "studies", problem.what, problem.remedy)


def strangers(case: Case) -> Iterator[Finding]:
    """No trials in Optuna's studies of ours that amnl-tune did not make."""
    found = {name: numbers for name, numbers in foreign_trials(case.ledger).items() if case.study in {None, name}}
    for name, numbers in found.items():
        yield Finding(
            Severity.WARNING,
            "foreign trials",
            f"trials of study {name!r} must be amnl-tune's, but {numbered(numbers)} came from elsewhere, as by a plain "
            "`study.optimize`; they are kept from sampler and figures, but Optuna's own tools show them",
            "give such searches a study of their own; these trials may stay",
        )
    if not found:
        yield Finding(Severity.OK, "foreign trials", "every trial of the studies is amnl-tune's")


def studies(case: Case) -> Iterator[Finding]:
    """None larger than what stays quick."""
    query = select(RunRow.study, func.count()).where(RunRow.promotion == 0).group_by(RunRow.study)
    if case.study is not None:
        query = query.where(RunRow.study == case.study)
    with case.ledger.read() as session:
        found = {row[0]: row[1] for row in session.execute(query)}
    large = {name: count for name, count in found.items() if count > MANY_TRIALS}
    for name, count in sorted(large.items()):
        yield Finding(
            Severity.WARNING,
            "studies",
            f"a study stays quick up to {MANY_TRIALS} trials, but {name!r} has {count}",
            "ask the next question in a study of its own",
        )
    if not large:
        yield Finding(Severity.OK, "studies", f"the largest study has {max(found.values(), default=0)} trials")
