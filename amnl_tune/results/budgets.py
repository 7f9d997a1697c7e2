"""What a study's search has used of what it may spend."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from amnl_tune.search.ledger.models import RunRow, StudyRow
from amnl_tune.search.ledger.runs import FINISHED
from amnl_tune.search.ledger.stored import stored_spec

__all__ = ["Use", "budget_uses"]


class Use(NamedTuple):
    """One resource: trials, epochs, wall_time (seconds) or accelerator_hours. `limit` None: nothing but the others."""

    resource: str
    used: float
    limit: float | None


def budget_uses(session: Session, studies: Sequence[StudyRow], now: float) -> dict[str, list[Use]]:
    """By study.

    Args:
        session: on our tables.
        studies: whose.
        now: by the database's clock; what wall time runs up to while trials are open.
    """
    opened = func.sum(case((RunRow.status.in_(FINISHED), 0), else_=1))
    query = (
        select(
            RunRow.study,
            func.count(),
            func.sum(RunRow.epochs_done),
            func.sum(RunRow.busy_seconds),
            func.max(RunRow.finished_at),
            opened,
        )
        .where(RunRow.promotion == 0, RunRow.study.in_([row.name for row in studies]))
        .group_by(RunRow.study)
    )
    sums = {row[0]: row[1:] for row in session.execute(query)}
    uses = {}
    for row in studies:
        trials, epochs, busy, last, under_way = sums.get(row.name, (0, 0, 0.0, None, 0))
        end = now if under_way or last is None else last
        limits = stored_spec(row).budget.model_dump()
        uses[row.name] = [
            Use("trials", trials, limits["trials"]),
            Use("epochs", epochs, limits["epochs"]),
            Use("wall_time", max(0.0, end - row.started_at) if row.started_at else 0.0, limits["wall_time"]),
            Use("accelerator_hours", busy / 3600, limits.get("accelerator_hours")),
        ]
    return uses
