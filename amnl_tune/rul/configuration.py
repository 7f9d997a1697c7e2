"""What the domain lets one choose: data, network and loss, each value with its bounds.

`training.config.RunConfig` is these three and the optimisation in one flat value, so each setting has one name
everywhere: in a study file, in Optuna's parameters, in an exported `config.toml`.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from amnl_tune.bounds import MOST_CONDITIONS, MOST_CYCLES, MOST_LAYERS, MOST_NUMBER, MOST_SIZE, MOST_STEPS
from amnl_tune.rul.layouts import RUL_CAP

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Size = Annotated[int, Field(ge=1, le=MOST_SIZE)]
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]


class Normalization(StrEnum):
    """Over which rows a sensor's mean and standard deviation are taken (training engines only)."""

    CONDITION = "condition"
    GLOBAL = "global"


class Pooling(StrEnum):
    """How (B, T, D) becomes one vector for the heads."""

    LAST = "last"
    MEAN = "mean"
    ATTENTION = "attention"
    LAST_MEAN = "last+mean"


class Loss(StrEnum):
    """How the RUL and the health term combine."""

    NORMALIZED_BATCH = "normalized_batch"
    NORMALIZED_EMA = "normalized_ema"
    FIXED = "fixed"
    RUL_ONLY = "rul_only"
    GABA = "gaba"
    GRACE = "grace"


class SampleWeight(StrEnum):
    """w(y) of the RUL term: `linear` is 1 + clip(1 - y/125, 0, 1), `none` is 1."""

    LINEAR = "linear"
    NONE = "none"


class RulReduction(StrEnum):
    """`weighted_mean` is sum(w e^2)/sum(w) (1st edition), `mean` is mean(w e^2) (2nd edition)."""

    WEIGHTED_MEAN = "weighted_mean"
    MEAN = "mean"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataConfig(_Frozen):
    """Which engines are learned from, and how their rows are prepared."""

    dataset: str = Field(
        "FD001",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        description="FD001..FD004, SIM1, SIM6 or any name for which train_NAME.txt exists",
    )
    split_seed: int = Field(42, ge=0, le=MOST_NUMBER, description="draws the validation engines and their truncations")
    validation_fraction: float = Field(0.2, gt=0.0, lt=1.0, description="share of the training engines held out")
    validation_truncations: int = Field(
        10, ge=1, le=MOST_CYCLES, description="random end cycles drawn per validation engine"
    )
    conditions: int = Field(
        0, ge=0, le=MOST_CONDITIONS, description="operating conditions for k-means; 0: the data set's known number"
    )
    normalization: Normalization = Normalization.CONDITION


class InputConfig(_Frozen):
    """What a network sees: a window of steps, and in each step the channels of `rul/history.py`."""

    window: int = Field(30, ge=2, le=512, description="steps that the network sees, T; cycles, unless pooled")
    pool: int = Field(1, ge=1, le=100, description="cycles that a step is the mean of")
    age: bool = Field(False, description="cycles since the engine's first record")
    deviation: int = Field(
        0, ge=0, le=1000, description="each sensor less its mean over the engine's first so many cycles; 0: none"
    )
    ewma: tuple[Rate, ...] = Field((), max_length=8, description="rates of exponential means of each sensor")
    drop_settings: bool = Field(False, description="the network sees the sensors alone")
    pad_short: bool = Field(
        False, description="learn from windows that begin before the engine does, padded as in prediction"
    )

    @property
    def needs_whole_record(self) -> bool:
        """Whether a row's channels depend on rows before the window."""
        return self.age or self.deviation > 0 or len(self.ewma) > 0

    @property
    def span(self) -> int:
        """Rows that a window reaches back over, its last one included."""
        return self.window * self.pool

    @model_validator(mode="after")
    def _different_rates(self) -> Self:
        if len(set(self.ewma)) < len(self.ewma):
            raise ValueError(f"`ewma` must be different rates, but got {list(self.ewma)}; name each once")
        return self


class NetworkConfig(InputConfig):
    """The AMNL network's sizes; the defaults are the published 3,497,476 parameters."""

    conv_channels: tuple[Size, ...] = Field((64, 128, 64), min_length=1, max_length=MOST_LAYERS)
    hidden_size: Size = Field(256, description="LSTM units a direction")
    num_layers: int = Field(2, ge=1, le=MOST_LAYERS)
    num_heads: int = Field(8, ge=1, le=2 * MOST_SIZE, description="attention heads; must divide 2 * hidden_size")
    dropout: Fraction = Field(0.3, description="main dropout; the convolutions use half of it")
    attention_dropout: Fraction = 0.2
    pooling: Pooling = Pooling.LAST
    fc_sizes: tuple[Size, ...] = Field((256, 64, 32), min_length=1, max_length=MOST_LAYERS)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if (2 * self.hidden_size) % self.num_heads:
            raise ValueError(
                f"`num_heads` must divide 2 * `hidden_size`, but got num_heads={self.num_heads}, "
                f"hidden_size={self.hidden_size}; use a power of two for both"
            )
        return self


class LossConfig(_Frozen):
    """The dual-task loss."""

    loss: Loss = Loss.NORMALIZED_BATCH
    task_weight: float = Field(0.5, ge=0.0, le=1.0, description="weight of the RUL term; health gets the rest")
    sample_weight: SampleWeight = SampleWeight.LINEAR
    rul_reduction: RulReduction = RulReduction.WEIGHTED_MEAN
    health_thresholds: tuple[float, float] = Field(
        (30.0, 80.0), description="cycles: critical up to the first, degrading up to the second, healthy above"
    )
    loss_ema_decay: Fraction = Field(0.99, description="of `normalized_ema` and of the GABA weights")
    gaba_warmup_steps: int = Field(100, ge=0, le=MOST_STEPS, description="steps with uniform task weights")
    gaba_floor: float = Field(0.05, ge=0.0, lt=0.5, description="smallest task weight")

    @property
    def health_is_trained(self) -> bool:
        """Whether the health head learns anything; else health can only be read off the RUL."""
        weighted = self.loss in {Loss.NORMALIZED_BATCH, Loss.NORMALIZED_EMA, Loss.FIXED}
        return self.loss is not Loss.RUL_ONLY and not (weighted and self.task_weight == 1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.health_thresholds
        if not 0 < low < high < RUL_CAP:
            raise ValueError(
                f"`health_thresholds` must satisfy 0 < first < second < {RUL_CAP:g}, but got ({low:g}, {high:g})"
            )
        return self


HEALTH_CLASSES = ("healthy", "degrading", "critical")
