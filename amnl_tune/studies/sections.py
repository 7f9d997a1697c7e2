"""The tables of a study file. Grammar and meaning of every key: `studies/README.md`."""

import json
import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from amnl_tune.bounds import (
    MOST_EPOCHS,
    MOST_EPOCHS_IN_ALL,
    MOST_HOURS,
    MOST_LOADERS,
    MOST_NUMBER,
    MOST_PATIENCE,
    MOST_PRICE,
    MOST_RATE,
    MOST_ROUNDS,
    MOST_SECONDS,
    MOST_SEEDS,
    MOST_THREADS,
    MOST_TOP,
    MOST_TRIALS,
    MOST_WORKERS,
)
from amnl_tune.documents import brief
from amnl_tune.rul.configuration import DataConfig
from amnl_tune.training.config import NONE, DataPath, Precision, Schedule, Suggestion

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

PRUNER_DEFAULTS: dict[str, dict[str, int]] = {
    "SuccessiveHalvingPruner": {"min_resource": 3, "reduction_factor": 4},
    "HyperbandPruner": {"min_resource": 3},
    "MedianPruner": {"n_warmup_steps": 5},
    "PercentilePruner": {"n_warmup_steps": 5},
}
"""Ours where Optuna's own cut before a learning curve says anything (performance: Pruning)."""

MOST_BATCHES, FEWEST_BATCHES, MOST_WINDOWS = 100, 50, 16_384
"""Of a range test: a full network takes a minute or two for so many windows on two cores."""

Seed = Annotated[int, Field(ge=0, le=MOST_NUMBER)]


def seconds(value: Any) -> Any:
    """A number of seconds as it is; a text like "45s", "90m", "2h", "1d" in seconds.

    Raises:
        ValueError: another text.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", value)
    if not match:
        raise ValueError(f'must be seconds or a text like "45s", "90m", "2h", "1d", but got {brief(repr(value))}')
    return float(match[1]) * UNITS[match[2]]


class Table(BaseModel):
    """What all have in common: nothing unknown, nothing infinite, nothing changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class DataTable(DataConfig):
    """`[data]`: `DataConfig`, and what to do without data."""

    dataset: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    fallback: Literal["SIM1", "SIM6"] | None = None


class ObjectiveTable(Table):
    """`[objective]`: there is one, so far."""

    metric: Literal["validation_rmse"] = "validation_rmse"
    direction: Literal["minimize"] = "minimize"


class BudgetTable(Table):
    """`[budget]`: of the search, over all workers and restarts."""

    trials: int = Field(ge=1, le=MOST_TRIALS)
    epochs: int | None = Field(None, ge=1, le=MOST_EPOCHS_IN_ALL)
    wall_time: float | None = Field(None, gt=0, le=MOST_SECONDS)
    accelerator_hours: float | None = Field(None, gt=0, le=MOST_HOURS)
    cost: float | None = Field(None, gt=0, le=MOST_PRICE)

    @field_validator("wall_time", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return seconds(value)


class TrialTable(Table):
    """`[trial]`: how long a trial trains."""

    epochs: int = Field(20, ge=1, le=MOST_EPOCHS)
    horizon: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    checkpoint_every: int = Field(5, ge=1, le=MOST_EPOCHS)
    keep_every: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    max_attempts: int = Field(3, ge=1, le=MOST_ROUNDS)


class _NamedOptions(BaseModel):
    """An Optuna class by name; every other key is one of its own keyword arguments."""

    model_config = ConfigDict(frozen=True, extra="allow", validate_default=True)

    name: str

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments."""
        return dict(self.model_extra or {})


class SamplerTable(_NamedOptions):
    """`[sampler]`."""

    name: str = "TPESampler"


class PrunerTable(_NamedOptions):
    """`[pruner]`: by default successive halving with its first cut after 3 epochs."""

    name: str = "SuccessiveHalvingPruner"

    @model_validator(mode="before")
    @classmethod
    def _with_our_defaults(cls, value: Any) -> Any:
        """Written out, so that the study's record says what was used."""
        if not isinstance(value, dict):
            return value
        name = value.get("name", "SuccessiveHalvingPruner")
        return (PRUNER_DEFAULTS.get(name, {}) if isinstance(name, str) else {}) | value


class RangeTestTable(Table):
    """`[lr_range_test]`: torch-lr-finder's words, and what becomes of its curve."""

    enabled: bool = True
    start_lr: float = Field(1e-7, gt=0, le=MOST_RATE)
    end_lr: float = Field(1.0, gt=0, le=MOST_RATE)
    num_iter: int | None = Field(None, ge=10, le=10_000)
    suggestion: Suggestion = Suggestion.STEEPEST
    spread: float = Field(10.0, gt=1.0, le=MOST_RATE)

    def iterations(self, batch_size: int) -> int:
        """Batches of the sweep: the file's own number, else 100, but fewer large ones."""
        return self.num_iter or max(FEWEST_BATCHES, min(MOST_BATCHES, MOST_WINDOWS // batch_size))

    @field_validator("end_lr")
    @classmethod
    def _rising(cls, end: float, info: ValidationInfo) -> float:
        start = info.data.get("start_lr")
        if start is not None and end <= start:
            raise ValueError(f"must be above `start_lr`, but got (start_lr={start!r}, end_lr={end!r}); swap them")
        return end


class Incumbent(StrEnum):
    """What promoted trials must beat: the published defaults at full length, gradient boosting on the same engines."""

    PUBLISHED = "published"
    BOOSTING = "boosting"


class PromotionTable(Table):
    """`[promotion]`: full runs of the best trials."""

    enabled: bool = True
    top_k: int = Field(1, ge=1, le=MOST_TOP)
    seeds: tuple[Seed, ...] = Field((42,), max_length=MOST_SEEDS)
    epochs: int = Field(100, ge=1, le=MOST_EPOCHS)
    horizon: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    schedule: Schedule = Schedule.FOUR_PHASE
    patience: int | None = Field(None, ge=1, le=MOST_PATIENCE)
    checkpoint_every: int = Field(10, ge=1, le=MOST_EPOCHS)
    keep_every: int | None = Field(None, ge=1, le=MOST_EPOCHS)
    keep_last: bool = True
    incumbents: tuple[Incumbent, ...] = tuple(Incumbent)
    old_incumbent: bool | None = Field(None, alias="incumbent", exclude=True, repr=False)
    overrides: dict[str, Any] = Field(default_factory=dict)

    @property
    def incumbent(self) -> bool:
        """Whether the published defaults are promoted too."""
        return Incumbent.PUBLISHED in self.incumbents

    @model_validator(mode="after")
    def _with_the_old_key(self) -> Self:
        """With or without the published defaults, boosting beside them."""
        if self.old_incumbent is None:
            return self
        if "incumbents" in self.model_fields_set:
            message = "is the old form of `promotion.incumbents`, but both are given; leave `incumbent` out"
            raise PydanticCustomError("rules", "{text}", {"rules": [("incumbent", message)], "text": message})
        wanted = [word for word in Incumbent if self.old_incumbent or word is not Incumbent.PUBLISHED]
        self.__dict__.update(incumbents=tuple(wanted), old_incumbent=None)  # frozen: still being made
        return self

    @field_validator("patience", mode="before")
    @classmethod
    def _without_patience(cls, value: Any) -> Any:
        """`NONE` as in `[fixed]`."""
        return None if value == NONE else value

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError(f"must be one or more different numbers, but got {list(seeds)}")
        return seeds

    @field_validator("incumbents")
    @classmethod
    def _named_once(cls, incumbents: tuple[Incumbent, ...]) -> tuple[Incumbent, ...]:
        if len(set(incumbents)) < len(incumbents):
            raise ValueError(f"must be different words, but got {[str(word) for word in incumbents]}; name each once")
        return incumbents


class WarmStartTable(Table):
    """`[warm_start]`: other studies of the storage, whose best configurations are evaluated first."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    studies: tuple[str, ...] = Field((), alias="from")
    top: int = Field(1, ge=1, le=MOST_TOP)

    @field_validator("studies")
    @classmethod
    def _distinct(cls, studies: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(studies)) < len(studies):
            raise ValueError(f"must be different studies, but got {list(studies)}; name each once")
        return studies


class HardwareTable(Table):
    """`[hardware]`: where no option of a command says otherwise."""

    workers: int = Field(2, ge=1, le=MOST_WORKERS)
    threads_per_worker: int | None = Field(None, ge=1, le=MOST_THREADS)
    device: str = "auto"
    precision: Precision = Precision.AUTO
    data_path: DataPath = DataPath.AUTO
    loader_workers: int = Field(2, ge=0, le=MOST_LOADERS)
    price_per_hour: float | None = Field(None, gt=0, le=MOST_PRICE)
    stall_timeout: float = Field(1800.0, gt=0, le=MOST_SECONDS)
    outage: float = Field(600.0, gt=0, le=MOST_SECONDS)

    @field_validator("stall_timeout", "outage", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        return seconds(value)

    @field_validator("device")
    @classmethod
    def _known(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,4})?", device):
            raise ValueError(f'must be "auto", "cpu", "mps", "cuda" or "cuda:1", but got {brief(json.dumps(device))}')
        return device
