"""`StudySpec`: a study file as one frozen, validated value. Grammar and meaning of every key: `studies/README.md`."""

import hashlib
import json
import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from amnl_tune.rul.configuration import DataConfig
from amnl_tune.search.space import FloatEntry, Space
from amnl_tune.training.config import RunConfig, Schedule, published_defaults
from amnl_tune.training.suggestion import Suggestion

__all__ = ["StudySpec"]

NOT_FROZEN = {"question", "budget", "promotion", "hardware"}
"""Tables that may change once there are trials: no trial's result depends on them."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class DataTable(DataConfig):
    """`[data]`: `DataConfig`, and what to do without data."""

    dataset: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    fallback: Literal["SIM1", "SIM6"] | None = None


class ObjectiveTable(_Table):
    """`[objective]`: there is one, so far."""

    metric: Literal["validation_rmse"] = "validation_rmse"
    direction: Literal["minimize"] = "minimize"


class BudgetTable(_Table):
    """`[budget]`: of the search, over all workers and restarts."""

    trials: int = Field(ge=1)
    epochs: int | None = Field(None, ge=1)
    wall_time: float | None = Field(None, gt=0)

    @field_validator("wall_time", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", value)
        if not match:
            raise ValueError(f'must be seconds or a text like "45s", "90m", "2h", "1d", but got {value!r}')
        return float(match[1]) * UNITS[match[2]]


class TrialTable(_Table):
    """`[trial]`: how long a trial trains."""

    epochs: int = Field(20, ge=1)
    horizon: int | None = Field(None, ge=1)
    checkpoint_every: int = Field(5, ge=1)


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
    """`[pruner]`: by default successive halving with its first cut after 3 epochs (performance: Pruning)."""

    name: str = "SuccessiveHalvingPruner"


class RangeTestTable(_Table):
    """`[lr_range_test]`: torch-lr-finder's words, and what becomes of its curve."""

    enabled: bool = True
    start_lr: float = Field(1e-6, gt=0)
    end_lr: float = Field(1.0, gt=0)
    num_iter: int = Field(100, ge=10, le=10_000)
    suggestion: Suggestion = Suggestion.MINIMUM_10
    spread: float = Field(10.0, gt=1.0)

    @field_validator("end_lr")
    @classmethod
    def _rising(cls, end: float, info: Any) -> float:
        start = info.data.get("start_lr")
        if start is not None and end <= start:
            raise ValueError(f"must be above `start_lr`, but got (start_lr={start!r}, end_lr={end!r})")
        return end


class PromotionTable(_Table):
    """`[promotion]`: full runs of the best trials."""

    enabled: bool = True
    top_k: int = Field(1, ge=1)
    seeds: tuple[int, ...] = Field((42,), min_length=1)
    epochs: int = Field(100, ge=1)
    schedule: Schedule = Schedule.FOUR_PHASE
    patience: int | None = Field(None, ge=1)
    checkpoint_every: int = Field(10, ge=1)
    incumbent: bool = True
    overrides: dict[str, Any] = Field(default_factory=dict)

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError(f"must be different numbers from 0 up, but got {list(seeds)}")
        return seeds


class HardwareTable(_Table):
    """`[hardware]`: where no option of a command says otherwise."""

    workers: int = Field(2, ge=1)
    threads_per_worker: int | None = Field(None, ge=1)
    device: str = Field("auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")


class StudySpec(_Table):
    """One question, with everything that decides its answer."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    question: str = ""
    seed: int = Field(42, ge=0, lt=2**63)
    data: DataTable
    objective: ObjectiveTable = ObjectiveTable()
    budget: BudgetTable
    trial: TrialTable = TrialTable()
    sampler: SamplerTable = SamplerTable()
    pruner: PrunerTable = PrunerTable()
    lr_range_test: RangeTestTable = RangeTestTable()
    fixed: dict[str, Any] = Field(default_factory=dict)
    incumbent: dict[str, Any] = Field(default_factory=dict)
    space: Space
    promotion: PromotionTable = PromotionTable()
    hardware: HardwareTable = HardwareTable()

    def base_values(self) -> dict[str, Any]:
        """What every trial has in common: published defaults, data, fixed settings, the trial's length, the seed."""
        return {
            **published_defaults(self.data.dataset),
            **self.data.model_dump(exclude={"fallback"}),
            **self.fixed,
            "epochs": self.trial.epochs,
            "horizon": self.trial.horizon,
            "seed": self.seed,
        }

    def run_config(self, parameters: dict[str, Any]) -> RunConfig:
        """A trial's configuration: the one place where sampled and common values meet.

        Raises:
            ConfigurationError: the values break a rule together.
        """
        return RunConfig.build(self.base_values() | parameters)

    def settled(self) -> dict[str, Any]:
        """Plain values of every setting that is not searched, for conditions to look at."""
        plain = RunConfig.build(self.base_values() | self.incumbent).plain()
        return {name: value for name, value in plain.items() if name not in self.space}

    def incumbent_parameters(self) -> dict[str, Any]:
        """The published defaults (under `[fixed]` and `[incumbent]`) as parameters of the space."""
        plain = RunConfig.build(self.base_values() | self.incumbent).plain()
        return {name: plain[name] for name in self.space.active(plain)}

    def learning_rate_bounds(self) -> tuple[float, float] | None:
        """The file's interval; None if the learning rate is not searched as a float."""
        entry = self.space.root.get("learning_rate")
        return (entry.low, entry.high) if isinstance(entry, FloatEntry) else None

    def promotion_config(self, trial: RunConfig, seed: int) -> RunConfig:
        """A trial's configuration at full length."""
        full = self.promotion
        goes_on = trial.horizon is not None  # from its trial's checkpoint: the same schedule over the same horizon
        return trial.replaced(
            seed=seed,
            epochs=full.epochs,
            horizon=trial.horizon,
            schedule=trial.schedule if goes_on else full.schedule,
            patience=full.patience,
            **full.overrides,
        )

    def frozen_content(self) -> dict[str, Any]:
        """What may not change once there are trials, JSON-serialisable."""
        content = self.model_dump(mode="json", exclude=NOT_FROZEN)
        del content["trial"]["checkpoint_every"]
        return content

    def fingerprint(self) -> str:
        """SHA-256 of the frozen content."""
        canonical = json.dumps(self.frozen_content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def changed_keys(self, before: dict[str, Any]) -> list[str]:
        """Dotted keys in which this file differs from another's frozen content, with both values."""
        then, now = _flat(before), _flat(self.frozen_content())
        missing = "(absent)"
        return [
            f"{key} was {then.get(key, missing)!r}, is {now.get(key, missing)!r}"
            for key in sorted(then | now)
            if then.get(key, missing) != now.get(key, missing)
        ]

    def to_json(self) -> str:
        """For the database; `from_json` inverts it exactly."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """A spec that was valid when it was stored."""
        return cls.model_validate_json(text)

    def with_dataset(self, dataset: str) -> Self:
        """The same question of another data set, under a name of its own, so that results are never mixed up."""
        data = self.data.model_copy(update={"dataset": dataset, "fallback": None})
        return self.model_copy(update={"name": f"{self.name}-{dataset}", "data": data})


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    return {
        key: leaf
        for name, inner in value.items()
        for key, leaf in _flat(inner, f"{prefix}.{name}" if prefix else name).items()
    }
