"""The search space of a study file, in Optuna's words: float, int and categorical entries, each perhaps conditional."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator, model_validator

__all__ = ["CategoricalEntry", "Entry", "FloatEntry", "IntEntry", "Space"]

Choice = str | bool | int | float
ENUMERATED = 64
"""Values of an integer entry up to which all are checked; beyond that, its ends."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: dict[str, tuple[Choice, ...]] = Field(default_factory=dict)

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the entry's condition holds under the values chosen so far."""
        return all(_plain(values.get(parent)) in allowed for parent, allowed in self.when.items())


class _Range(_Entry):
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high, step = self.low, self.high, self.step  # type: ignore[attr-defined]
        ends = f"(low={low!r}, high={high!r})"
        if not low < high:
            raise ValueError(f"`low` must be below `high`, but got {ends}; swap or widen them")
        if self.log and low <= 0:
            raise ValueError(f"`low` must be positive with `log = true`, but got {ends}")
        if self.log and step is not None:
            raise ValueError(f"`step` and `log = true` exclude each other, but got step={step!r}; drop one")
        if step is not None and not 0 < step <= high - low:
            raise ValueError(f"`step` must be positive and fit between `low` and `high`, but got step={step!r}, {ends}")
        return self


class FloatEntry(_Range):
    """`trial.suggest_float`."""

    type: Literal["float"]
    low: float
    high: float
    step: float | None = None

    def distribution(self) -> BaseDistribution:
        """Optuna's own."""
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def values(self) -> list[Any]:
        """Values at which the entry is checked against the run's rules."""
        return [self.low, self.high]


class IntEntry(_Range):
    """`trial.suggest_int`."""

    type: Literal["int"]
    low: int
    high: int
    step: int | None = None

    def distribution(self) -> BaseDistribution:
        """Optuna's own."""
        return IntDistribution(self.low, self.high, log=self.log, step=self.step or 1)

    def values(self) -> list[Any]:
        """Values at which the entry is checked against the run's rules: all of a short range, else its ends."""
        every = range(self.low, self.high + 1, self.step or 1)
        return list(every) if len(every) <= ENUMERATED else [every[0], every[-1]]


class CategoricalEntry(_Entry):
    """`trial.suggest_categorical`."""

    type: Literal["categorical"]
    choices: tuple[Any, ...] = Field(min_length=1)

    @field_validator("choices")
    @classmethod
    def _simple(cls, choices: tuple[Any, ...]) -> tuple[Any, ...]:
        for choice in choices:
            if not isinstance(choice, str | bool | int | float):
                raise ValueError(
                    f"a choice must be a string, a number or a boolean, but got {choice!r}; Optuna's storage keeps "
                    "nothing else: search a setting with one value, or put lists into `fixed`"
                )
        if len(set(map(repr, choices))) < len(choices):
            raise ValueError(f"choices must differ, but got {list(choices)!r}; drop the repeated ones")
        return choices

    def distribution(self) -> BaseDistribution:
        """Optuna's own."""
        return CategoricalDistribution(self.choices)

    def values(self) -> list[Any]:
        """Values at which the entry is checked against the run's rules."""
        return list(self.choices)


Entry = Annotated[FloatEntry | IntEntry | CategoricalEntry, Field(discriminator="type")]


class Space(RootModel[dict[str, Entry]]):
    """Entries by the name of the `RunConfig` field that they search."""

    model_config = ConfigDict(frozen=True)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order in which they are asked: an entry after those that its condition names."""
        done: list[str] = []
        waiting = dict(self.root)
        while waiting:
            ready = [name for name, entry in waiting.items() if not set(entry.when) & set(waiting)]
            if not ready:
                raise ValueError(f"`when` conditions must not form a circle, but these do: {', '.join(waiting)}")
            done += ready
            for name in ready:
                del waiting[name]
        return tuple(done)

    def __getitem__(self, name: str) -> FloatEntry | IntEntry | CategoricalEntry:
        return self.root[name]

    def __contains__(self, name: object) -> bool:
        return name in self.root

    @property
    def is_conditional(self) -> bool:
        """Whether an entry has a `when`."""
        return any(entry.when for entry in self.root.values())

    def active(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Names whose condition holds under complete `values`."""
        return (name for name in self.names if self[name].applies(values))

    def ask(self, trial: Trial, otherwise: Mapping[str, Any]) -> dict[str, Any]:
        """Suggests every entry whose condition holds.

        Args:
            trial: Optuna's.
            otherwise: values of settings that are not searched; conditions may name them.

        Returns:
            Sampled values by name.
        """
        sampled: dict[str, Any] = {}
        for name in self.names:
            if self[name].applies({**otherwise, **sampled}):
                sampled[name] = trial._suggest(name, self[name].distribution())
        return sampled

    def narrowed(self, *, learning_rate: tuple[float, float]) -> "Space":
        """The same space with other bounds of the learning rate."""
        entry = self.root["learning_rate"]
        low, high = learning_rate
        return Space(self.root | {"learning_rate": entry.model_copy(update={"low": low, "high": high})})

    def holds(self, name: str, value: Any) -> bool:
        """Whether the entry can take `value`."""
        entry = self[name]
        if isinstance(entry, CategoricalEntry):
            return any(
                _plain(value) == choice and isinstance(value, bool) == isinstance(choice, bool)
                for choice in entry.choices
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not entry.low <= value <= entry.high:
            return False
        steps = (value - entry.low) / (entry.step or (1 if isinstance(entry, IntEntry) else 0) or 1)
        return (isinstance(entry, FloatEntry) and entry.step is None) or math.isclose(steps, round(steps), abs_tol=1e-8)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value
