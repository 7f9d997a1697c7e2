"""`RunConfig`: every number that decides a run, in one frozen value; and the words for how it is carried out.

A trial is a RunConfig, a promoted run is a RunConfig, an export is a RunConfig plus weights. Nothing in `training`
reads a hyperparameter from anywhere else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Any, Self, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from amnl_tune.bounds import MOST_BATCH, MOST_CYCLES, MOST_EPOCHS, MOST_NUMBER, MOST_PATIENCE
from amnl_tune.errors import ConfigurationError
from amnl_tune.files import COMPACT, canonical_hash
from amnl_tune.rul.configuration import DataConfig, Fraction, InputConfig, LossConfig, NetworkConfig

NONE = "none"
"""How a setting without a value is written where there is no null: in TOML."""


class Schedule(StrEnum):
    """Shape of the learning rate over the schedule's horizon.

    `four_phase` is the published full run: warm-up (5%), base to 60%, cosine to 80%, very low to the end.
    `cosine` is a warm-up and one cosine to the end; `constant` a warm-up and the base rate.
    """

    FOUR_PHASE = "four_phase"
    COSINE = "cosine"
    CONSTANT = "constant"


class Precision(StrEnum):
    """How the network's matrix products are computed.

    `auto` asks a micro-benchmark of the real step (`training.probe`). `fp32` and `tf32` (CUDA only) keep float32
    everywhere; `bf16` and `fp16` are torch.autocast, `fp16` with a GradScaler; `fp16_pure` is fp16 without one: small
    gradients vanish and large ones overflow, which the publication calls unstable.
    """

    AUTO = "auto"
    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP16_PURE = "fp16_pure"


class DataPath(StrEnum):
    """`resident`: rows live on the device, windows are gathered there. `loader`: a DataLoader's worker processes gather
    them on the host. `auto`: resident, if the rows fit.
    """

    AUTO = "auto"
    RESIDENT = "resident"
    LOADER = "loader"


class RunConfig(DataConfig, NetworkConfig, LossConfig):
    """One training run. The defaults are the published recipe (amnl: Recipe)."""

    seed: int = Field(42, ge=0, le=MOST_NUMBER)
    epochs: int = Field(20, ge=1, le=MOST_EPOCHS)
    horizon: int | None = Field(
        None, ge=1, le=MOST_EPOCHS, description="epochs that the schedule spans; null: the run's own epochs"
    )
    schedule: Schedule = Schedule.FOUR_PHASE
    warmup_fraction: Fraction = Field(0.05, description="share of the horizon with a rising learning rate")
    final_lr_fraction: float = Field(0.01, ge=0.0, le=1.0, description="the schedule's lowest rate / learning_rate")
    learning_rate: float = Field(1e-3, gt=0.0, le=10.0)
    weight_decay: float = Field(1e-4, ge=0.0, le=10.0)
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    batch_size: int = Field(256, ge=1, le=MOST_BATCH)
    accumulation_steps: int = Field(
        1, ge=1, le=MOST_BATCH, description="micro-batches that one optimiser step's batch is split into"
    )
    clip: float = Field(1.0, ge=0.0, description="largest gradient norm; 0: no clipping")
    ema_decay: Fraction = Field(0.999, description="weight EMA a step, evaluated instead of the weights; 0: none")
    stride: int = Field(1, ge=1, le=MOST_CYCLES, description="distance of training windows in cycles")
    validation_subset: float = Field(
        1.0, gt=0.0, le=1.0, description="share of the validation engines scored each epoch"
    )
    patience: int | None = Field(
        15, ge=1, le=MOST_PATIENCE, description="epochs without improvement before stopping; null: never stop early"
    )
    min_delta: float = Field(0.001, ge=0.0, description="cycles of RMSE that count as an improvement")

    @field_validator("horizon", "patience", mode="before")
    @classmethod
    def _without_value(cls, value: Any) -> Any:
        """`NONE` as null."""
        return None if value == NONE else value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.horizon is not None and self.horizon < self.epochs:
            raise ValueError(
                f"`horizon` must be at least `epochs`, but got horizon={self.horizon}, epochs={self.epochs}"
            )
        if self.accumulation_steps > self.batch_size:
            raise ValueError(
                f"`accumulation_steps` must be at most `batch_size`, but got "
                f"accumulation_steps={self.accumulation_steps}, batch_size={self.batch_size}"
            )
        return self

    @property
    def schedule_epochs(self) -> int:
        """Epochs that the learning-rate schedule spans."""
        return self.horizon or self.epochs

    @classmethod
    def build(cls, values: Mapping[str, Any]) -> Self:
        """Validated from plain values.

        Raises:
            ConfigurationError: an unknown key or a value out of bounds; every problem is named.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            problems = "; ".join(
                f"`{'.'.join(map(str, problem['loc']))}`: {problem['msg']}, but got {problem['input']!r}"
                if problem["loc"]
                else problem["msg"].removeprefix("Value error, ")
                for problem in error.errors()
            )
            raise ConfigurationError(f"A run configuration must be valid, but: {problems}") from error

    def replaced(self, **changes: Any) -> Self:
        """A validated copy with other values."""
        return self.build(self.model_dump() | changes)

    def plain(self) -> dict[str, Any]:
        """JSON-serialisable values, every key present."""
        return self.model_dump(mode="json")

    def toml(self) -> dict[str, Any]:
        """`plain` for TOML; `build` makes the same configuration of it."""
        return {name: NONE if value is None else value for name, value in self.plain().items()}

    def identity(self) -> dict[str, Any]:
        """`plain`, less what later versions have added and this run leaves at its default: keys of what is kept between
        runs are made of it, and a new setting changes none of them."""
        fields = type(self).model_fields
        unused = {name for name in fields.keys() - FIRST_SETTINGS if getattr(self, name) == fields[name].default}
        return {name: value for name, value in self.plain().items() if name not in unused}

    def fingerprint(self) -> str:
        """SHA-256 of `identity`, to be shown and to make keys of: whether two configurations are the same is told by
        comparing them."""
        return canonical_hash(self.identity(), separators=COMPACT)


NULLABLE = frozenset(n for n, field in RunConfig.model_fields.items() if NoneType in get_args(field.annotation))
"""Settings that need no value."""

FIRST_SETTINGS = frozenset({
    "accumulation_steps", "attention_dropout", "batch_size", "beta1", "beta2", "clip", "conditions", "conv_channels",
    "dataset", "dropout", "ema_decay", "epochs", "fc_sizes", "final_lr_fraction", "gaba_floor", "gaba_warmup_steps",
    "health_thresholds", "hidden_size", "horizon", "learning_rate", "loss", "loss_ema_decay", "min_delta",
    "normalization", "num_heads", "num_layers", "patience", "pooling", "rul_reduction", "sample_weight", "schedule",
    "seed", "split_seed", "stride", "task_weight", "validation_fraction", "validation_subset",
    "validation_truncations", "warmup_fraction", "weight_decay", "window",
})  # fmt: skip
"""Those of the first records, which name each of them; never to be added to."""

ADDED_LATER = frozenset(InputConfig.model_fields) - FIRST_SETTINGS
"""What a network sees beside its window, which the first exports lack."""


def published_defaults(dataset: str) -> dict[str, Any]:
    """What the publication changes by data set: main dropout 0.3 on one condition, 0.2 on six (amnl: Network)."""
    return {"dataset": dataset, "dropout": 0.2 if dataset in {"FD002", "FD004", "SIM6"} else 0.3}


@dataclass(frozen=True)
class RangeTestOptions:
    """torch-lr-finder's own words: rates rise exponentially from start_lr to end_lr in num_iter steps."""

    start_lr: float = 1e-7
    end_lr: float = 1.0
    num_iter: int = 100
    diverge_th: float = 5.0


@dataclass(frozen=True)
class RangeTestCurve:
    """lr (n,) and loss (n,), n <= num_iter: the test stops once the loss has diverged.

    The loss is the sum of the tasks' raw terms, each as a share of its first value.
    """

    lr: tuple[float, ...]
    loss: tuple[float, ...]

    def diverged_at(self, end_lr: float) -> float | None:
        """The rate at which the sweep ended before it came to `end_lr`; None if it got there."""
        return self.lr[-1] if self.lr and self.lr[-1] < end_lr * (1 - 1e-6) else None


class Suggestion(StrEnum):
    """`steepest`: where the loss falls fastest over log lr (Smith 2015). `valley`: the middle of the longest fall,
    two thirds down (fastai). `minimum/10`: a tenth of the rate with the lowest loss (fastai)."""

    STEEPEST = "steepest"
    VALLEY = "valley"
    MINIMUM_10 = "minimum/10"
