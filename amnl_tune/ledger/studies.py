"""Studies: opening one, freezing a study file, extending its budget, settling its learning-rate prior."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import RunRow, StudyRow
from amnl_tune.database.urls import shown_url
from amnl_tune.documents import brief
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.ledger.stored import reading, stored_spec
from amnl_tune.studies.names import require_study_name
from amnl_tune.studies.problems import wording
from amnl_tune.studies.sections import BudgetTable
from amnl_tune.studies.spec import StudySpec


class Opening(StrEnum):
    """What `freeze` found."""

    CREATED = "created"
    CONTINUED = "continued"
    EXTENDED = "extended"


@dataclass(frozen=True)
class Prior:
    """What is settled before the first trial.

    Attributes:
        suggested: learning rate of the range test. interval: to search around it; None: the file's own.
        warm_start: parameters of other studies' best trials, to be evaluated first: `origin`, and `parameters` by name.
    """

    suggested: float | None = None
    interval: tuple[float, float] | None = None
    warm_start: tuple[dict[str, Any], ...] = ()


def prior_of(row: StudyRow) -> Prior:
    """What `settle_prior` entered."""
    interval = (row.prior_low, row.prior_high) if row.prior_low is not None and row.prior_high is not None else None
    with reading(f"warm start of study {row.name!r}"):
        return Prior(row.suggested_lr, interval, tuple(json.loads(row.warm_start or "[]")))


@dataclass(frozen=True, eq=False)
class Study:
    """A study of a ledger, as it stood when it was opened; what its row says is parsed once, when first asked for.

    It is opened by name where a command begins, and handed down. Whoever waits for something opens it `again`.

    Attributes:
        ledger: where it is. row: as it was read.
    """

    ledger: Ledger
    row: StudyRow

    @property
    def name(self) -> str:
        """Its own name, which is its file's."""
        return self.row.name

    @cached_property
    def spec(self) -> StudySpec:
        """Its file, as frozen. Raises StudyError if this version cannot read it."""
        return stored_spec(self.row)

    @cached_property
    def prior(self) -> Prior:
        """What was settled before its first trial. Raises StudyError if this version cannot read it."""
        return prior_of(self.row)

    @property
    def is_prepared(self) -> bool:
        """Whether workers may join: its LR range test and its prior are settled."""
        return self.row.prepared_at is not None

    @property
    def is_stopped(self) -> bool:
        """Whether workers are to leave it alone."""
        return self.row.stopped_at is not None

    def again(self) -> "Study":
        """The study as it stands now. Raises StudyError if it has gone."""
        return find_study(self.ledger, self.name)


def as_begun(ledger: Ledger, spec: StudySpec) -> StudySpec:
    """A file's spec with the defaults that its study was begun with, if there is one."""
    with ledger.read() as session:
        row = session.get(StudyRow, spec.name)
    return spec.continuing(stored_spec(row)) if row else spec


def freeze(ledger: Ledger, spec: StudySpec, data_sha256: str, *, within: Session | None = None) -> Opening:
    """Enters a new study, or checks that a known one is still the same question on the same data.

    Only the budget, the promotion, the hardware and the wording of the question may change; `budget.trials` only up.

    Args:
        ledger: our tables.
        spec: of the study file. data_sha256: of the training data.
        within: the transaction under way; None: one of its own.

    Raises:
        StudyError: the file or the data differ from those of the existing trials.
    """
    with ledger.write(within) as session:
        row = session.get(StudyRow, spec.name, with_for_update=True)
        if row is None:
            session.add(
                StudyRow(
                    name=spec.name,
                    spec=spec.to_json(),
                    fingerprint=spec.fingerprint(),
                    dataset=spec.data.dataset,
                    data_sha256=data_sha256,
                    created_at=database_time(session),
                    wall_time=spec.budget.wall_time,
                    busy_limit=spec.busy_limit,
                )
            )
            return Opening.CREATED
        before = stored_spec(row)
        _require_same(session, row, before, spec, data_sha256)
        _require_running(row)
        _enter(row, spec)
        return Opening.EXTENDED if spec.budget.trials > before.budget.trials else Opening.CONTINUED


def _enter(row: StudyRow, spec: StudySpec) -> None:
    row.spec, row.wall_time, row.busy_limit = spec.to_json(), spec.budget.wall_time, spec.busy_limit


def _require_running(row: StudyRow) -> None:
    if row.stopped_at is not None:
        raise StudyError(
            f"A stopped study must be resumed before it goes on, but {row.name!r} was stopped at "
            f"{datetime.fromtimestamp(row.stopped_at, UTC):%Y-%m-%d %H:%M:%S} UTC; run `amnl-tune study resume "
            f"{row.name}`"
        )


def stop_study(study: Study) -> bool:
    """Workers checkpoint and leave at the end of their epoch, everywhere; False if it was stopped already."""
    with study.ledger.write() as session:
        row = session.get_one(StudyRow, study.name, with_for_update=True)
        stopped, row.stopped_at = row.stopped_at, row.stopped_at or database_time(session)
        return stopped is None


def resume_study(study: Study) -> bool:
    """Workers may claim its runs again, and go on from their checkpoints; False if it was not stopped."""
    with study.ledger.write() as session:
        row = session.get_one(StudyRow, study.name, with_for_update=True)
        stopped, row.stopped_at = row.stopped_at, None
        return stopped is not None


def extend_study(study: Study, **limits: float | None) -> StudySpec:
    """Raises the budget; workers at it see the new one with their next epoch.

    Args:
        study: as opened.
        limits: new totals of `[budget]`, by key; None: as it is.

    Raises:
        StudyError: a limit would fall, or is new: a study without it has promised to take as long as it takes.
        ConfigurationError: a limit is none that a study file might have.
    """
    with study.ledger.write() as session:
        row = session.get_one(StudyRow, study.name, with_for_update=True)
        spec = stored_spec(row)
        given = {key: value for key, value in limits.items() if value is not None}
        for key, value in given.items():
            before = getattr(spec.budget, key)
            if before is None or value < before:
                raise StudyError(
                    f"`budget.{key}` can only be raised, but got {value:g} for study {study.name!r} with "
                    f"{'no such limit' if before is None else f'{before:g}'}; "
                    + ("leave it out" if before is None else f"set it to {before:g} or more")
                )
        spec = spec.model_copy(update={"budget": _extended(spec.budget, given)})
        _enter(row, spec)
        return spec


def _extended(budget: BudgetTable, limits: Mapping[str, float]) -> BudgetTable:
    try:
        return BudgetTable.model_validate({**budget.model_dump(), **limits})
    except ValidationError as error:
        finding: dict[str, Any] = dict(error.errors()[0])
        raise ConfigurationError(f"`budget.{finding['loc'][0]}` {wording(finding)}") from error


def _require_same(session: Session, row: StudyRow, before: StudySpec, spec: StudySpec, data_sha256: str) -> None:
    slots = session.scalar(select(func.count()).where(RunRow.study == row.name, RunRow.promotion == 0)) or 0
    if changed := spec.changed_keys(before.frozen_content()):
        changes = "; ".join(changed)
        raise StudyError(
            f"A study file with trials is frozen, but study {row.name!r} (fingerprint {row.fingerprint[:12]}, "
            f"{slots} trials) differs from the file (fingerprint {spec.fingerprint()[:12]}): {changes}; "
            "undo the change, or give the file another `name`"
        )
    if row.data_sha256 != data_sha256:
        raise StudyError(
            f"A study must stay on its data, but study {row.name!r} was made on {row.dataset} with SHA-256 "
            f"{row.data_sha256[:12]} and the file found now has {data_sha256[:12]}; restore the data, or give "
            "the study another `name`"
        )
    if spec.budget.trials < min(before.budget.trials, slots):
        raise StudyError(
            f"`budget.trials` can only be raised, but got {spec.budget.trials} for study {row.name!r} with {slots} "
            f"trials; set it to {slots} or more"
        )


def find_study(ledger: Ledger, name: str) -> Study:
    """Opens a study. Raises StudyError, naming what there is, if it is unknown or the name cannot be a study's."""
    require_study_name(name)
    with ledger.read() as session:
        row = session.get(StudyRow, name)
    if row is None:
        known = brief(", ".join(study_names(ledger)), 400) or "none"
        raise StudyError(
            f"A study must exist, but there is no {name!r} in {shown_url(ledger.url)} "
            f"(studies there: {known}); run `amnl-tune run FILE`, or set --storage"
        )
    return Study(ledger, row)


def study_names(ledger: Ledger) -> list[str]:
    """All studies, oldest first."""
    with ledger.read() as session:
        return list(session.scalars(select(StudyRow.name).order_by(StudyRow.created_at)))


def all_studies(ledger: Ledger) -> list[StudyRow]:
    """Their rows, oldest first."""
    with ledger.read() as session:
        return list(session.scalars(select(StudyRow).order_by(StudyRow.created_at)))


def settle_prior(study: Study, prior: Prior, range_test_key: str | None) -> None:
    """Enters the prior; whoever comes first decides, so that all workers sample from one space."""
    with study.ledger.write() as session:
        session.execute(
            update(StudyRow)
            .where(StudyRow.name == study.name, StudyRow.prepared_at.is_(None))
            .values(
                prepared_at=database_time(session),
                suggested_lr=prior.suggested,
                prior_low=prior.interval[0] if prior.interval else None,
                prior_high=prior.interval[1] if prior.interval else None,
                range_test_key=range_test_key,
                warm_start=json.dumps(prior.warm_start) if prior.warm_start else None,
            )
        )
