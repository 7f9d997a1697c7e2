"""Which workers are alive, for metrics and for a study's note."""

from collections import defaultdict

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from amnl_tune.search.ledger.models import RunRow, WorkerRow
from amnl_tune.search.progress import SEEN_WITHIN

__all__ = ["hosts_of_live_workers"]


def hosts_of_live_workers(session: Session, now: float) -> dict[str, list[str]]:
    """By study the host of each worker that has not left and holds a lease or was seen a short while ago."""
    holding = select(RunRow.owner).where(RunRow.owner.is_not(None), RunRow.expires_at > now)
    hosts: defaultdict[str, list[str]] = defaultdict(list)
    query = (
        select(WorkerRow.study, WorkerRow.host)
        .where(WorkerRow.stopped_at.is_(None))
        .where(or_(WorkerRow.seen_at > now - SEEN_WITHIN, WorkerRow.id.in_(holding)))
        .order_by(WorkerRow.host)
    )
    for study, host in session.execute(query):
        hosts[study].append(host)
    return hosts
