"""/metrics: the ledger in Prometheus' words, read anew for each scrape."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import AttemptRow, EpochRow, Outcome, RunRow, RunStatus, StudyRow
from amnl_tune.ledger.progress import budget_uses
from amnl_tune.ledger.stored import told_apart
from amnl_tune.ledger.workers import hosts_of_live_workers
from amnl_tune.version import __version__

RATE_SECONDS = 60.0
"""The time over which epochs/s and samples/s are averaged: a scrape or more."""


def exposition(ledger: Ledger) -> bytes:
    """The text of /metrics. Raises StorageError."""
    return generate_latest(_LedgerCollector(ledger))


class _LedgerCollector(Collector):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("amnl_tune_build", "This version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        with self._ledger.read() as session:
            now = database_time(session)
            rows = list(session.scalars(select(StudyRow).order_by(StudyRow.created_at)))
            specs, unreadable = told_apart(rows)
            text = "Studies whose stored file this version cannot read; they are in no other metric."
            yield GaugeMetricFamily("amnl_tune_studies_unreadable", text, value=len(unreadable))
            studies, names = [row for row in rows if row.name in specs], list(specs)
            yield from _runs(session, names)
            for kind, name, text, values in _by_study(session, now):
                family = kind(name, text, labels=["study"])
                for study in names:
                    family.add_metric([study], values.get(study, 0.0))
                yield family
            yield from _budgets(session, studies, now)


def _runs(session: Session, names: list[str]) -> Iterator[Metric]:
    trials = GaugeMetricFamily("amnl_tune_trials", "Trials of the search.", labels=["study", "state"])
    promoted = GaugeMetricFamily("amnl_tune_promoted_runs", "Runs of promotions.", labels=["study", "state"])
    is_trial = RunRow.promotion == 0
    counts: dict[tuple[Any, ...], int] = {
        (study, bool(trial), status): count
        for study, trial, status, count in session.execute(
            select(RunRow.study, is_trial, RunRow.status, func.count()).group_by(RunRow.study, is_trial, RunRow.status)
        )
    }
    for study in names:
        for status in RunStatus:
            trials.add_metric([study, str(status)], counts.get((study, True, status), 0))
            promoted.add_metric([study, str(status)], counts.get((study, False, status), 0))
    yield trials
    yield promoted


Family = tuple[type[GaugeMetricFamily] | type[CounterMetricFamily], str, str, dict[str, float]]
"""Kind, name, explanation, and values by study; a study that is not among them has 0."""


def _by_study(session: Session, now: float) -> Iterator[Family]:
    alive = {study: float(len(hosts)) for study, hosts in hosts_of_live_workers(session, now).items()}
    yield GaugeMetricFamily, "amnl_tune_workers_alive", "Workers at work or waiting.", alive
    vanished = (
        select(RunRow.study, func.count())
        .join(AttemptRow, AttemptRow.run == RunRow.id)
        .where(AttemptRow.outcome == Outcome.VANISHED)
    )
    text = "Leases that ran out and were taken over: workers that vanished."
    yield CounterMetricFamily, "amnl_tune_lease_expiries", text, _counts(session, vanished)
    expired = select(RunRow.study, func.count()).where(RunRow.status == RunStatus.RUNNING, RunRow.expires_at < now)
    text = "Leases run out that nobody has taken over yet."
    yield GaugeMetricFamily, "amnl_tune_leases_expired", text, _counts(session, expired)
    epochs = _counts(session, select(EpochRow.study, func.count()))
    yield CounterMetricFamily, "amnl_tune_epochs", "Epochs trained, each once.", epochs
    since = now - RATE_SECONDS
    recent = session.execute(
        select(RunRow.study, func.count(), func.sum(EpochRow.samples))
        .join(EpochRow, EpochRow.run == RunRow.id)
        .where(or_(RunRow.finished_at.is_(None), RunRow.finished_at > since))  # of few runs: epochs have no time index
        .where(EpochRow.recorded_at > since)
        .group_by(RunRow.study)
    ).all()
    per_second = {study: count / RATE_SECONDS for study, count, _ in recent}
    yield GaugeMetricFamily, "amnl_tune_epochs_per_second", "Over the last minute.", per_second
    samples = {study: float(count) / RATE_SECONDS for study, _, count in recent}
    yield GaugeMetricFamily, "amnl_tune_samples_per_second", "Training windows, over the last minute.", samples


def _counts(session: Session, query: Select[str, int]) -> dict[str, float]:
    """By study, which is the query's first column."""
    return {row[0]: row[1] for row in session.execute(query.group_by(query.selected_columns[0]))}


def _budgets(session: Session, studies: list[StudyRow], now: float) -> Iterator[Metric]:
    labels = ["study", "resource"]
    used = GaugeMetricFamily("amnl_tune_budget_used", "Spent by the search; wall_time in seconds.", labels=labels)
    limit = GaugeMetricFamily("amnl_tune_budget_limit", "What the search may spend, where limited.", labels=labels)
    for study, uses in budget_uses(session, studies, now).items():
        for use in uses:
            used.add_metric([study, use.resource], use.used)
            if use.limit is not None:
                limit.add_metric([study, use.resource], use.limit)
    yield used
    yield limit
