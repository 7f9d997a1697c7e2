"""A note for each trial: its configuration, curve, attempts, promoted runs and files."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import select

from amnl_tune.artifacts import Artifacts
from amnl_tune.dashboard.notes import code, number, plain, table
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import AttemptRow, RunRow, RunStatus, WorkerRow
from amnl_tune.ledger.leases import FINISHED
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import find_study
from amnl_tune.masking import masked
from amnl_tune.studies.spec import StudySpec


class Attempt(NamedTuple):
    """An attempt, the host of its worker, and the artifact location that the worker writes to, where known."""

    row: AttemptRow
    host: str | None
    artifacts: str | None


FEW = 100
"""Numbers up to which they are named to the database one by one."""


def trial_notes(
    ledger: Ledger, artifacts: Artifacts, study: str, numbers: Collection[int], *, prefix: str
) -> dict[int, str]:
    """Notes, Markdown, by trial number; numbers that our tables do not know have none.

    Args:
        ledger: our tables.
        artifacts: where the runs' files are, as far as this machine knows.
        study: its name. numbers: the trials.
        prefix: of the dashboard's paths.

    Raises:
        StudyError: unknown study. StorageError: the database refuses.
    """
    if not numbers:
        return {}
    spec = find_study(ledger, study).spec
    wanted = (
        RunRow.trial_number.in_(numbers)
        if len(numbers) <= FEW
        else RunRow.trial_number.between(min(numbers), max(numbers))
    )
    with ledger.read() as session:
        runs = list(session.scalars(select(RunRow).where(RunRow.study == study, wanted).order_by(RunRow.id)))
        attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
        query = (
            select(AttemptRow, WorkerRow.host, WorkerRow.artifacts)
            .join(RunRow, RunRow.id == AttemptRow.run)
            .outerjoin(WorkerRow, WorkerRow.id == AttemptRow.worker)
            .where(RunRow.study == study, wanted)
            .order_by(AttemptRow.run, AttemptRow.fence)
        )
        for attempt, host, url in session.execute(query):
            attempts[attempt.run].append(Attempt(attempt, host, url))
    promoted: defaultdict[int | None, list[RunRow]] = defaultdict(list)
    for run in runs:
        if not run.is_trial:
            promoted[run.trial_number].append(run)
    return {
        run.trial_number: "\n\n".join(
            part
            for part in (
                _headline(run),
                _curve(run, prefix),
                _configuration(spec, run),
                _attempts(attempts[run.id]),
                _promoted(artifacts, promoted[run.trial_number], attempts),
                _files(artifacts, run, attempts[run.id]),
            )
            if part
        )
        for run in runs
        if run.is_trial and run.trial_number is not None
    }


def _headline(run: RunRow) -> str:
    value = f", validation RMSE **{run.value:.2f}** cycles" if run.value is not None else ""
    reason = f": {plain(run.reason)}" if run.reason else ""
    return (
        f"**{str(run.status).capitalize()}**{reason}{value}; epoch {run.epochs_done} of {run.epochs}; "
        f"from {plain(run.origin)}, seed {run.seed}"
    )


def _curve(run: RunRow, prefix: str) -> str:
    place = f"{prefix}/curves/{quote(run.study, safe='')}/{run.trial_number}.svg"
    return f"![Learning curve]({place}?epochs={run.epochs_done})" if run.epochs_done else ""  # anew for each epoch


def _configuration(spec: StudySpec, run: RunRow) -> str:
    if not run.config:
        return ""
    values = stored_config(run).plain()
    searched = spec.space.active(values)
    rows = [(plain(name), code(_shown(values[name]))) for name in searched]
    common = " ".join(f"{name}={_shown(value)}" for name, value in values.items() if name not in searched)
    searched_table = table(("searched setting", "value"), rows)
    return f"#### Configuration\n\n{searched_table}\n\nEverything else: {code(common)}"


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value).strip('"')


def _attempts(attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return ""
    rows = [
        (
            str(count),
            code(attempt.worker) + (f" on {plain(host)}" if host else ""),
            f"{attempt.epochs_before} to {'…' if attempt.epochs_after is None else attempt.epochs_after}",
            str(attempt.outcome or "under way"),
            number(attempt.ended_at - attempt.started_at, 0) if attempt.ended_at is not None else "",
            plain(attempt.reason or ""),
        )
        for count, (attempt, host, _) in enumerate(attempts, start=1)
    ]
    header = ("", "worker", "epochs", "outcome", "seconds", "reason")
    return f"#### Attempts\n\n{table(header, rows)}"


def _promoted(artifacts: Artifacts, runs: Sequence[RunRow], attempts: Mapping[int, Sequence[Attempt]]) -> str:
    if not runs:
        return ""
    rows = [
        (
            str(run.promotion),
            str(run.seed),
            str(run.status),
            f"{run.epochs_done} of {run.epochs}",
            number(run.value),
            code(f"{_place(artifacts, attempts.get(run.id, ()))}/{artifacts.weights(run)}")
            if run.status is RunStatus.COMPLETE
            else "",
        )
        for run in runs
    ]
    header = ("promotion", "seed", "status", "epochs", "validation RMSE", "weights")
    return f"#### Promoted runs\n\n{table(header, rows)}"


def _files(artifacts: Artifacts, run: RunRow, attempts: Sequence[Attempt]) -> str:
    if run.status in FINISHED and run.config and stored_config(run).horizon is None:
        return "#### Files\n\nThe checkpoints were cleared away when the trial ended."
    return f"#### Files\n\nCheckpoints: {code(f'{_place(artifacts, attempts)}/{artifacts.folder(run)}')}"


def _place(artifacts: Artifacts, attempts: Sequence[Attempt]) -> str:
    """The artifact location: the last worker's, else the one that this process was given."""
    given = artifacts.url or str(artifacts.home / "artifacts")
    return masked(next((attempt.artifacts for attempt in reversed(attempts) if attempt.artifacts), given)).rstrip("/")
