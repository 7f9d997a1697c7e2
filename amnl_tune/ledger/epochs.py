"""An epoch's report and the pruner's decision, in one statement.

Optuna's own `report` and `should_prune` take several transactions, and the decision reads every trial of the study;
here lease, curve, Optuna's intermediate value and decision are one round trip, and the decision one indexed query.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.dialects import postgresql

from amnl_tune.database.engine import LOCK_MILLISECONDS, NOW, Ledger
from amnl_tune.database.failures import storage_failures
from amnl_tune.database.models import EpochRow
from amnl_tune.ledger.leases import Lease, LeaseLostError
from amnl_tune.ledger.standing import TALLIED, Competition, bin_of

HELD = """
update amnl_runs set
  expires_at = {now} + :ttl,
  epochs_done = case when epochs_done < :number then :number else epochs_done end,
  busy_seconds = :busy_seconds
where id = :run and owner = :owner and fence = :fence{patience}
returning id, trial_id"""

PATIENCE = {
    "sqlite": "",
    "postgresql": " and (select set_config('lock_timeout', cast(:patience as text), true)) is not null",
}
"""For this statement alone, which is its own transaction; every later step waits for `held`."""

DECIDED = """
select coalesce((select pruned from amnl_epochs where run = :run and number = :number), ({verdict})) as pruned"""

COLUMNS = {
    column.name: column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]
    for column in EpochRow.__table__.columns
    if column.name not in {"recorded_at", "pruned"}
}
"""What a report says, with its SQL type: PostgreSQL cannot tell it from a parameter in a `select`. SQLite knows the
same words."""
KEPT = f"""
insert into amnl_epochs ({", ".join(COLUMNS)}, recorded_at, pruned)
select {", ".join(f"cast(:{name} as {kind})" for name, kind in COLUMNS.items())}, {{now}}, {{pruned}} {{source}}
on conflict (run, number) do nothing
returning study, bracket, number, bin"""

SHOWN = """
insert into trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
select {trial_id}, :number, :reported, 'FINITE' {source}
on conflict (trial_id, step) do nothing"""

STANDING = """
stopped_at is not null as stopped,
coalesce({now} - started_at >= wall_time, false) as late,
case when busy_limit is null then false else
  busy_seconds + :busy_seconds + (
    select coalesce(sum(r.busy_seconds), 0) from amnl_runs r
    where r.study = :study and r.promotion = 0 and r.id <> :run and r.status in ('waiting', 'running')) >= busy_limit
end as spent
from amnl_studies where name = :study"""


@dataclass(frozen=True)
class Verdict:
    """What the study says to an epoch.

    Attributes:
        pruned: the pruner's decision; the same however often the epoch is reported.
        stopped: nobody is to work on the study. late, spent: its wall time or its accelerator time is used up.
    """

    pruned: bool
    stopped: bool
    late: bool
    spent: bool


class ReportLine:
    """One connection kept for reports, opened again after a failure. Reporting twice is reporting once."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.dialect = ledger.engine.dialect.name
        self._connection: Connection | None = None

    def report(
        self,
        lease: Lease,
        epoch: Mapping[str, Any],
        *,
        ttl: float,
        busy_seconds: float,
        competition: Competition | None = None,
    ) -> Verdict:
        """Records an epoch, renews the lease, decides.

        Args:
            lease: the run's.
            epoch: values of EpochRow's columns but `run`, `bin`, `pruned` and `recorded_at`; a figure that it lacks is
                null, as in what a checkpoint of an earlier version tells.
            ttl: seconds that the lease lasts from now.
            busy_seconds: accelerator time of the run up to here, all attempts.
            competition: None: the epoch decides nothing.

        Raises:
            LeaseLostError: another worker has taken over; nothing is written.
            StorageError: the database refuses or is away; reporting again is safe.
        """
        competition = competition or Competition()
        values = {
            **dict.fromkeys(COLUMNS),
            **epoch,
            **(competition.parameters or {}),
            "run": lease.run,
            "bin": bin_of(epoch["reported"]),
            "owner": lease.owner,
            "fence": lease.fence,
            "ttl": ttl,
            "busy_seconds": busy_seconds,
            "patience": str(LOCK_MILLISECONDS),
        }
        with storage_failures(self.ledger.url):
            try:
                connection = self._open()
                write = _in_one_statement if self.dialect == "postgresql" else _in_one_transaction
                verdict = write(connection, competition, values)
            except BaseException:
                self.close(broken=True)
                raise
        if verdict is None:
            raise LeaseLostError(f"run {lease.run} is no longer {lease.owner}'s")
        return verdict

    def close(self, *, broken: bool = False) -> None:
        """Gives the connection back; a broken one is thrown away."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if broken:
                connection.invalidate()
            connection.close()

    def _open(self) -> Connection:
        if self._connection is None:
            connection = self.ledger.engine.connect()
            if self.dialect == "postgresql":
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            self._connection = connection
        return self._connection


def _in_one_statement(connection: Connection, competition: Competition, values: Mapping[str, Any]) -> Verdict | None:
    """PostgreSQL: data-modifying common table expressions; they see the state before all of them."""
    row = connection.execute(_statement(competition.query, competition.tallied), values).one()
    return Verdict(row.pruned, row.stopped, row.late, row.spent) if row.held else None


@cache
def _statement(query: str, tallied: bool) -> TextClause:
    now = NOW["postgresql"]
    tally = f"tallied as ({TALLIED.format(source='kept')}), " if tallied else ""
    return text(
        f"with held as ({HELD.format(now=now, patience=PATIENCE['postgresql'])}), "
        f"decided as ({DECIDED.format(verdict=query)}), "
        f"kept as ({KEPT.format(now=now, pruned='(select pruned from decided)', source='from held')}), {tally}"
        f"shown as ({SHOWN.format(trial_id='trial_id', source='from held where trial_id is not null')}) "
        "select (select count(*) from held) as held, (select pruned from decided) as pruned, "
        f"{STANDING.format(now=now)}"
    )


def _in_one_transaction(connection: Connection, competition: Competition, values: Mapping[str, Any]) -> Verdict | None:
    """SQLite, which has no such expressions, and no network either: the same steps one by one."""
    held, decided, kept, tally, shown, standing = _statements(competition.query)
    with connection.begin():
        run = connection.execute(held, values).one_or_none()
        if run is None:
            return None
        pruned = bool(connection.execute(decided, values).scalar_one())
        new = connection.execute(kept, {**values, "pruned": pruned}).one_or_none()
        if new and competition.tallied:
            connection.execute(tally, values)
        if run.trial_id is not None:
            connection.execute(shown, {**values, "trial_id": run.trial_id})
        row = connection.execute(standing, values).one()
        return Verdict(pruned, bool(row.stopped), bool(row.late), bool(row.spent))


@cache
def _statements(query: str) -> tuple[TextClause, ...]:
    now = NOW["sqlite"]
    always = "where true"  # SQLite's parser needs it before `on conflict`
    return tuple(
        text(statement)
        for statement in (
            HELD.format(now=now, patience=PATIENCE["sqlite"]),
            DECIDED.format(verdict=query),
            KEPT.format(now=now, pruned=":pruned", source=always),
            TALLIED.format(source="amnl_epochs where run = :run and number = :number"),
            SHOWN.format(trial_id=":trial_id", source=always),
            f"select {STANDING.format(now=now)}",
        )
    )
