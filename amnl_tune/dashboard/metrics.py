"""/metrics: the ledger in Prometheus' words, read anew for each scrape."""

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Executable, func, or_, select
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
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_LedgerCollector(ledger))
    return generate_latest(registry)


class _LedgerCollector(Collector):
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def describe(self) -> list[Metric]:
        return []  # registering must not read the database

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("amnl_tune_build", "This version.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        with self._ledger.read() as session:
            now = database_time(session)
            rows = list(session.scalars(select(StudyRow).order_by(StudyRow.created_at)))
            specs, unreadable = told_apart(rows)
            yield _unreadable(len(unreadable))
            studies, names = [row for row in rows if row.name in specs], list(specs)
            yield from _runs(session, names)
            alive = {study: float(len(hosts)) for study, hosts in hosts_of_live_workers(session, now).items()}
            yield _by_study("amnl_tune_workers_alive", "Workers at work or waiting.", alive, names)
            yield from _leases(session, names, now)
            yield from _epochs(session, names, now)
            yield from _budgets(session, studies, now)


def _unreadable(count: int) -> Metric:
    text = "Studies whose stored file this version cannot read; they are in no other metric."
    return GaugeMetricFamily("amnl_tune_studies_unreadable", text, value=count)


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


def _leases(session: Session, names: list[str], now: float) -> Iterator[Metric]:
    vanished = _counted(
        session,
        select(RunRow.study, func.count())
        .join(AttemptRow, AttemptRow.run == RunRow.id)
        .where(AttemptRow.outcome == Outcome.VANISHED)
        .group_by(RunRow.study),
    )
    text = "Leases that ran out and were taken over: workers that vanished."
    yield _by_study("amnl_tune_lease_expiries", text, vanished, names, CounterMetricFamily)
    expired = _counted(
        session,
        select(RunRow.study, func.count())
        .where(RunRow.status == RunStatus.RUNNING, RunRow.expires_at < now)
        .group_by(RunRow.study),
    )
    yield _by_study("amnl_tune_leases_expired", "Leases run out that nobody has taken over yet.", expired, names)


def _epochs(session: Session, names: list[str], now: float) -> Iterator[Metric]:
    totals = _counted(session, select(EpochRow.study, func.count()).group_by(EpochRow.study))
    yield _by_study("amnl_tune_epochs", "Epochs trained, each once.", totals, names, CounterMetricFamily)
    since = now - RATE_SECONDS
    recent = session.execute(
        select(RunRow.study, func.count(), func.sum(EpochRow.samples))
        .join(EpochRow, EpochRow.run == RunRow.id)
        .where(or_(RunRow.finished_at.is_(None), RunRow.finished_at > since))  # of few runs: epochs have no time index
        .where(EpochRow.recorded_at > since)
        .group_by(RunRow.study)
    ).all()
    per_second = {study: count / RATE_SECONDS for study, count, _ in recent}
    yield _by_study("amnl_tune_epochs_per_second", "Over the last minute.", per_second, names)
    samples = {study: float(count) / RATE_SECONDS for study, _, count in recent}
    yield _by_study("amnl_tune_samples_per_second", "Training windows, over the last minute.", samples, names)


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


def _counted(session: Session, query: Executable) -> dict[str, float]:
    return {row[0]: row[1] for row in session.execute(query)}


def _by_study(
    name: str,
    text: str,
    values: dict[str, float],
    names: list[str],
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily] = GaugeMetricFamily,
) -> Metric:
    family = kind(name, text, labels=["study"])
    for study in names:
        family.add_metric([study], values.get(study, 0.0))
    return family
