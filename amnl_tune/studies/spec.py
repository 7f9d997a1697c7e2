"""`StudySpec`: a study file as one frozen, validated value. Grammar and meaning of every key: `studies/README.md`."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field

from amnl_tune.files import COMPACT, canonical_hash
from amnl_tune.studies.names import LONGEST_NAME, STUDY_NAME
from amnl_tune.studies.sections import (
    BudgetTable,
    DataTable,
    HardwareTable,
    ObjectiveTable,
    PromotionTable,
    PrunerTable,
    RangeTestTable,
    SamplerTable,
    Seed,
    Table,
    TrialTable,
    WarmStartTable,
)
from amnl_tune.studies.space import FloatEntry, Space
from amnl_tune.training.config import RunConfig, Suggestion, published_defaults

FORMER_DEFAULTS = {"start_lr": 1e-6, "num_iter": 100, "suggestion": Suggestion.MINIMUM_10}
"""Of `[lr_range_test]`, in studies that were begun before the published ones became ours."""

NOT_FROZEN: Mapping[str, Any] = {
    "question": True,
    "budget": True,
    "promotion": True,
    "hardware": True,
    "data": {"fallback"},
    "trial": {"checkpoint_every", "keep_every", "max_attempts"},
}
"""What may change once there are trials: no trial's result depends on it."""


class StudySpec(Table):
    """One question, with everything that decides its answer.

    `study_file` makes it from a file and checks what the tables have to do with each other.
    """

    name: str = Field(pattern=STUDY_NAME, max_length=LONGEST_NAME)
    question: str = ""
    seed: Seed = 42
    data: DataTable
    objective: ObjectiveTable = ObjectiveTable()
    budget: BudgetTable
    trial: TrialTable = TrialTable()
    sampler: SamplerTable = SamplerTable()
    pruner: PrunerTable = PrunerTable.model_validate({})
    lr_range_test: RangeTestTable = RangeTestTable()
    fixed: dict[str, Any] = Field(default_factory=dict)
    incumbent: dict[str, Any] = Field(default_factory=dict)
    space: Space
    warm_start: WarmStartTable = WarmStartTable()
    promotion: PromotionTable = PromotionTable()
    hardware: HardwareTable = HardwareTable()

    def base_values(self) -> dict[str, Any]:
        """What every trial has in common: published defaults, data, fixed settings, the trial's length, the seed."""
        return {
            **published_defaults(self.data.dataset),
            **self.data.model_dump(mode="json", exclude={"fallback"}),
            **self.fixed,
            "epochs": self.trial.epochs,
            "horizon": self.trial.horizon,
            "seed": self.seed,
        }

    def run_config(self, parameters: Mapping[str, Any]) -> RunConfig:
        """A trial's configuration: the one place where sampled and common values meet.

        Raises:
            ConfigurationError: the values break a rule together.
        """
        return RunConfig.build({**self.base_values(), **parameters})

    def settled(self) -> dict[str, Any]:
        """Plain values of every setting that is not searched, for conditions to look at."""
        plain = self.run_config(self.incumbent).plain()
        return {name: value for name, value in plain.items() if name not in self.space}

    @property
    def busy_limit(self) -> float | None:
        """Seconds of accelerators that the search may use, by `accelerator_hours` and by `cost`; None: any."""
        hours = [self.budget.accelerator_hours] if self.budget.accelerator_hours is not None else []
        if self.budget.cost is not None and self.hardware.price_per_hour is not None:
            hours.append(self.budget.cost / self.hardware.price_per_hour)
        return min(hours) * 3600 if hours else None

    def incumbent_parameters(self) -> dict[str, Any]:
        """The published defaults (under `[fixed]` and `[incumbent]`) as parameters of the space."""
        plain = self.run_config(self.incumbent).plain()
        own = {name: self.space[name].own(plain[name]) for name in self.space.active(plain)}
        return {name: plain[name] if value is None else value for name, value in own.items()}

    def learning_rate_bounds(self) -> tuple[float, float] | None:
        """The file's interval; None if the incumbent's learning rate is no parameter, or not one of an interval."""
        entry = self.space.root.get("learning_rate")
        if not isinstance(entry, FloatEntry) or entry.step or "learning_rate" not in self.incumbent_parameters():
            return None
        return entry.low, entry.high

    def promotion_config(self, trial_config: RunConfig, seed: int) -> RunConfig:
        """A trial's configuration at full length.

        Raises:
            ConfigurationError: it breaks a rule together with `[promotion]`.
        """
        full = self.promotion
        goes_on = trial_config.horizon is not None  # from its trial's checkpoint: one schedule over one horizon
        return trial_config.replaced(
            seed=seed,
            epochs=full.epochs,
            horizon=trial_config.horizon or full.horizon,
            schedule=trial_config.schedule if goes_on else full.schedule,
            patience=full.patience,
            **full.overrides,
        )

    def frozen_content(self) -> dict[str, Any]:
        """What may not change once there are trials, JSON-serialisable.

        An optional key that is absent leaves no trace, so that the grammar can grow without touching old fingerprints.
        """
        absent = {} if self.warm_start.studies else {"warm_start": True}
        return self.model_dump(mode="json", exclude=dict(NOT_FROZEN) | absent, exclude_none=True)

    def fingerprint(self) -> str:
        """SHA-256 of the frozen content, to be shown: whether two files ask the same is told by their `frozen_content`,
        both parsed by one version."""
        return canonical_hash(self.frozen_content(), separators=COMPACT)

    def changed_keys(self, before: dict[str, Any]) -> list[str]:
        """Dotted keys in which this file differs from another's frozen content, with both values."""
        then, now = _flat(before), _flat(self.frozen_content())
        absent = "(absent)"
        return [
            f"{key} was {then.get(key, absent)}, is {now.get(key, absent)}"
            for key in sorted(then | now)
            if then.get(key) != now.get(key)
        ]

    def continuing(self, begun: Self) -> Self:
        """This file, for a study that has begun: defaults that its range test was made with are still its own."""
        now, then = self.lr_range_test, begun.lr_range_test
        kept = {
            name: value
            for name, value in FORMER_DEFAULTS.items()
            if name not in now.model_fields_set and getattr(then, name) == value
        }
        return self.model_copy(update={"lr_range_test": now.model_copy(update=kept)})

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


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Values as JSON, by dotted key; an empty table has none."""
    if not isinstance(value, dict):
        return {prefix: json.dumps(value)}
    return {
        key: leaf
        for name, inner in value.items()
        for key, leaf in _flat(inner, f"{prefix}.{name}" if prefix else name).items()
    }
