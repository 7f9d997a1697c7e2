"""Our tables, beside Optuna's: what Optuna cannot hold.

Trials' parameters, states and intermediate values are Optuna's; rows here refer to them by (study, trial number),
without foreign keys into Optuna's tables. Times are seconds since 1970 (UTC) by the database's clock.
"""

from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Dialect, ForeignKey, Index, String, Text, TypeDecorator, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from amnl_tune.errors import StudyError


class RunStatus(StrEnum):
    """Optuna's trial states, for trials and promoted runs alike."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAIL = "fail"


class Origin(StrEnum):
    """Where a run's parameters come from."""

    PUBLISHED_DEFAULTS = "published defaults"
    LR_RANGE_TEST = "LR range test"
    SAMPLER = "sampler"
    WARM_START = "warm start"


class Outcome(StrEnum):
    """How a worker's attempt at a run ended."""

    FINISHED = "finished"
    RELEASED = "released"
    FAILED = "failed"
    VANISHED = "vanished"


class _Word(TypeDecorator[StrEnum]):
    """The words themselves in a text column: a new word needs no ALTER TYPE, and an older version names it."""

    impl = String
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__(32)
        self.words = words

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        return None if value is None else str(self.words(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        try:
            return None if value is None else self.words(value)
        except ValueError:
            raise StudyError(
                f"The stored words must be known to this version, but one is {value!r} instead of "
                f"{', '.join(self.words)}; use the version of amnl-tune that wrote it"
            ) from None


class Base(DeclarativeBase):
    """Of every table that our migrations own."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {words: _Word(words) for words in (RunStatus, Origin, Outcome)}


class StudyRow(Base):
    """A frozen study file and what was settled before the first trial.

    `prior_low`, `prior_high` bound the learning rate after the LR range test; null: the file's own bounds.
    `stopped_at`: since when nobody works on it, by `study stop`. `wall_time` (seconds from `started_at`) and
    `busy_limit` (seconds of accelerators, summed over the trials) end the search within an epoch; null: no limit.
    `busy_seconds` is what finished trials have taken of it. `warm_start` is a JSON list of the configurations of other
    studies that are evaluated first, each with its origin; null: none.
    """

    __tablename__ = "amnl_studies"

    name: Mapped[str] = mapped_column(primary_key=True)
    spec: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str]
    dataset: Mapped[str]
    data_sha256: Mapped[str]
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    prepared_at: Mapped[float | None]
    range_test_key: Mapped[str | None]
    suggested_lr: Mapped[float | None]
    prior_low: Mapped[float | None]
    prior_high: Mapped[float | None]
    stopped_at: Mapped[float | None]
    wall_time: Mapped[float | None]
    busy_limit: Mapped[float | None]
    busy_seconds: Mapped[float] = mapped_column(default=0.0)
    warm_start: Mapped[str | None] = mapped_column(Text)


class RunRow(Base):
    """One leased piece of training: a trial (promotion 0) or a run of that number's promotion.

    `slot` counts a study's trials, or a promotion's runs, from 0: the budget is exact because slots are unique.
    `owner`, `fence` and `expires_at` are the lease; `fence` rises with each claim, so that a worker that lost its
    lease cannot write. `failures` counts attempts that vanished or failed. `trial_id` is Optuna's own key of the trial,
    `bracket` the Hyperband bracket that it competes in. `busy_seconds` is the time that its epochs took on their
    accelerators, epochs trained again included: a quarter of a GPU for a minute counts 15 seconds.
    """

    __tablename__ = "amnl_runs"
    __table_args__ = (UniqueConstraint("study", "promotion", "slot"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("amnl_studies.name"), index=True)
    promotion: Mapped[int] = mapped_column(default=0)
    slot: Mapped[int]
    origin: Mapped[Origin]
    trial_number: Mapped[int | None]
    trial_id: Mapped[int | None]
    bracket: Mapped[int] = mapped_column(default=0)
    seed: Mapped[int] = mapped_column(BigInteger)
    config: Mapped[str | None] = mapped_column(Text)
    status: Mapped[RunStatus] = mapped_column(index=True)
    owner: Mapped[str | None]
    fence: Mapped[int] = mapped_column(default=0)
    expires_at: Mapped[float | None]
    failures: Mapped[int] = mapped_column(default=0)
    epochs: Mapped[int]
    epochs_done: Mapped[int] = mapped_column(default=0)
    busy_seconds: Mapped[float] = mapped_column(default=0.0)
    value: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]

    @property
    def is_trial(self) -> bool:
        """A trial of the search, not a promoted run."""
        return self.promotion == 0


class AttemptRow(Base):
    """One worker's turn at a run, from its claim to whatever ended it; `outcome` is null while it lasts.

    `epochs_before` is the epoch from whose state it goes on; until it has found one, the last that was reported.
    """

    __tablename__ = "amnl_attempts"
    __table_args__ = (UniqueConstraint("run", "fence"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[int] = mapped_column(ForeignKey("amnl_runs.id"))
    fence: Mapped[int]
    worker: Mapped[str]
    started_at: Mapped[float]
    epochs_before: Mapped[int]
    ended_at: Mapped[float | None]
    epochs_after: Mapped[int | None]
    outcome: Mapped[Outcome | None]
    reason: Mapped[str | None] = mapped_column(Text)


class EpochRow(Base):
    """The raw learning curve, and what Optuna and the pruner saw of it.

    `reported` is what Optuna got: the running best, so that a pruned trial's value is its best. Trials of one `study`
    and `bracket` compete at equal `number`; promoted runs have no bracket. `bin` is that of `reported`
    (`ledger/standing.py`). `pruned` is the decision, made once.

    What configuration and data decide of an epoch has a `tag` here, its name in TensorBoard, and is a field of the same
    name in `training.fit.EpochResult`: reports, frames, CSV, a replay's comparison, TensorBoard and MLflow follow
    from `EPOCH_FIGURES`. RMSE in cycles, losses as EpochResult says; null: not finite.
    """

    __tablename__ = "amnl_epochs"
    __table_args__ = (Index("ix_amnl_epochs_competition", "study", "bracket", "number", "bin", "reported"),)

    run: Mapped[int] = mapped_column(ForeignKey("amnl_runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str]
    bracket: Mapped[int | None]
    bin: Mapped[int]
    reported: Mapped[float]
    pruned: Mapped[bool]
    validation_rmse: Mapped[float | None] = mapped_column(info={"tag": "validation/rmse"})
    best_validation_rmse: Mapped[float | None] = mapped_column(info={"tag": "validation/best_rmse"})
    train_rul_loss: Mapped[float | None] = mapped_column(info={"tag": "loss/rul"})
    train_health_loss: Mapped[float | None] = mapped_column(info={"tag": "loss/health"})
    learning_rate: Mapped[float] = mapped_column(info={"tag": "learning_rate"})
    samples: Mapped[int]
    seconds: Mapped[float]
    recorded_at: Mapped[float]


EPOCH_FIGURES: dict[str, str] = {
    column.name: column.info["tag"] for column in EpochRow.__table__.columns if "tag" in column.info
}
"""Each figure's tag by its name, in the order of tables."""


class TallyRow(Base):
    """How many trials of a study and bracket compete at an epoch with a report in this bin."""

    __tablename__ = "amnl_tallies"

    study: Mapped[str] = mapped_column(primary_key=True)
    bracket: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    bin: Mapped[int] = mapped_column(primary_key=True)
    trials: Mapped[int]


class WorkerRow(Base):
    """A worker process. `process_started` tells a reused process number from the worker's own: seconds since its host's
    boot, of which `host` tells one from the next (`amnl_tune.host`).

    `accelerators` is its share of devices: 0.25 of a GPU, 1 for a whole one or for a CPU worker. `clock_skew` is its
    clock less the database's at the start, in seconds. `artifacts` is the URL that it keeps checkpoints at.
    """

    __tablename__ = "amnl_workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    study: Mapped[str] = mapped_column(index=True)
    host: Mapped[str]
    pid: Mapped[int]
    process_started: Mapped[float]
    device: Mapped[str]
    threads: Mapped[int]
    version: Mapped[str]
    optuna_version: Mapped[str | None]
    torch_version: Mapped[str | None]
    accelerators: Mapped[float] = mapped_column(default=1.0)
    clock_skew: Mapped[float | None]
    artifacts: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[float]
    seen_at: Mapped[float]
    stopped_at: Mapped[float | None]


class RangeTestRow(Base):
    """A cached LR range test, by data, architecture, batch, optimiser and the test's own options."""

    __tablename__ = "amnl_range_tests"

    key: Mapped[str] = mapped_column(primary_key=True)
    dataset: Mapped[str]
    data_sha256: Mapped[str]
    config: Mapped[str] = mapped_column(Text)
    options: Mapped[str] = mapped_column(Text)
    curve: Mapped[str] = mapped_column(Text)
    suggestions: Mapped[str] = mapped_column(Text)
    seconds: Mapped[float]
    created_at: Mapped[float]


class PromotionRow(Base):
    """A planned set of full runs; equal plans (fingerprint) are one promotion.

    `test_selection` is what a choice by the test engines would have claimed, JSON; whoever asked for it
    (`contaminated_by`, `contaminated_at`) has seen the test engines epoch by epoch, and every later report says so.
    """

    __tablename__ = "amnl_promotions"
    __table_args__ = (UniqueConstraint("study", "number"), UniqueConstraint("study", "fingerprint"))

    id: Mapped[int] = mapped_column(primary_key=True)
    study: Mapped[str] = mapped_column(ForeignKey("amnl_studies.name"), index=True)
    number: Mapped[int]
    fingerprint: Mapped[str]
    created_at: Mapped[float]
    contaminated_by: Mapped[str | None]
    contaminated_at: Mapped[float | None]
    test_selection: Mapped[str | None] = mapped_column(Text)


class TestScoreRow(Base):
    """One look at the test engines. The first is the promotion's result; any further one was forced and says so."""

    __test__ = False
    __tablename__ = "amnl_test_scores"
    __table_args__ = (UniqueConstraint("promotion_id", "look"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    promotion_id: Mapped[int] = mapped_column(ForeignKey("amnl_promotions.id"))
    look: Mapped[int]
    forced: Mapped[bool]
    scored_by: Mapped[str]
    scored_at: Mapped[float]
    data_sha256: Mapped[str]
    scores: Mapped[str] = mapped_column(Text)
