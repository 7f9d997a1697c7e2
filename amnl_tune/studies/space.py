"""The search space of a study file, in Optuna's words: float, int and categorical entries, each perhaps conditional."""

import json
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial
from pydantic import BaseModel, ConfigDict, Field, RootModel, field_validator, model_validator
from pydantic_core import PydanticCustomError

from amnl_tune.bounds import MOST_CHOICES
from amnl_tune.documents import brief

ENUMERATED = 64
"""Values of an integer entry up to which all are checked; beyond that, the first and the last half as many."""

Rule = tuple[str, str]
"""A key of the entry, and what is wrong there."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    when: dict[str, Annotated[tuple[Any, ...], Field(min_length=1, max_length=MOST_CHOICES)]] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _obeys(self) -> Self:
        """Every broken rule at once; pydantic alone would stop at the first."""
        rules = list(self._broken())
        if rules:
            raise PydanticCustomError("rules", "{text}", {"rules": rules, "text": "; ".join(m for _, m in rules)})
        return self

    def _broken(self) -> Iterator[Rule]:
        for parent, allowed in self.when.items():
            if not all(_is_simple(value) for value in allowed):
                yield f"when.{parent}", f"must list strings, numbers or booleans, but got {list(allowed)!r}"

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the entry's condition holds under the values chosen so far."""
        return all(values.get(parent) in allowed for parent, allowed in self.when.items())


class _Range(_Entry):
    log: bool = False

    def _broken(self) -> Iterator[Rule]:
        yield from super()._broken()
        low, high, step = self.low, self.high, self.step  # type: ignore[attr-defined]
        ends = f"(low={low!r}, high={high!r})"
        if low == high:
            yield "low", f"must be below `high`, but got {ends}; put a constant into `[fixed]`"
        elif low > high:
            yield "low", f"must be below `high`, but got {ends}; swap them"
        if self.log and low <= 0:
            yield "low", f"must be positive with `log = true`, but got {ends}; raise it, or drop `log`"
        if step is None:
            return
        if self.log:
            yield "step", f"cannot be used with `log = true`, but got step={step!r}; drop one of them"
        elif step <= 0:
            yield "step", f"must be positive, but got {step!r}"
        elif low < high and not _on_grid(high, low, step):
            last = low + math.floor((high - low) / step) * step
            remedy = f"use high={last:g}" if last > low else "use a smaller step"
            yield "step", f"must lead from `low` to `high` exactly, but got step={step!r}, {ends}; {remedy}"


class FloatEntry(_Range):
    """`trial.suggest_float`."""

    type: Literal["float"]
    low: float
    high: float
    step: float | None = None

    def distribution(self) -> BaseDistribution:
        """Optuna's own."""
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def suggest(self, trial: BaseTrial, name: str) -> float:
        """Optuna's choice."""
        return trial.suggest_float(name, self.low, self.high, log=self.log, step=self.step)

    def own(self, value: Any) -> float | None:
        """`value` as the entry would give it; None if it cannot."""
        inside = _is_number(value) and self.low <= value <= self.high
        return float(value) if inside and (self.step is None or _on_grid(value, self.low, self.step)) else None

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

    def suggest(self, trial: BaseTrial, name: str) -> int:
        """Optuna's choice."""
        return trial.suggest_int(name, self.low, self.high, log=self.log, step=self.step or 1)

    def own(self, value: Any) -> int | None:
        """`value` as the entry would give it; None if it cannot."""
        inside = _is_number(value) and value == int(value)
        return int(value) if inside and int(value) in self._range() else None

    def values(self) -> list[Any]:
        """Values at which the entry is checked against the run's rules: all of a short range, else both its ends."""
        every = self._range()
        half = ENUMERATED // 2
        return list(every) if len(every) <= ENUMERATED else [*every[:half], *every[-half:]]

    def _range(self) -> range:
        return range(self.low, self.high + 1, self.step or 1)


class CategoricalEntry(_Entry):
    """`trial.suggest_categorical`."""

    type: Literal["categorical"]
    choices: tuple[Any, ...] = Field(max_length=MOST_CHOICES)

    @field_validator("choices")
    @classmethod
    def _simple(cls, choices: tuple[Any, ...]) -> tuple[Any, ...]:
        """What Optuna's storage keeps, lists as their text; in the remedy, the two ways out."""
        for choice in choices:
            if not all(_is_simple(part) for part in (choice if isinstance(choice, list) else [choice])):
                raise ValueError(
                    f"must be strings, numbers, booleans or lists of them, but got {brief(repr(choice))}: Optuna's "
                    "storage keeps nothing else; put one value into `[fixed]` and make a study for each"
                )
        got = brief(repr(list(choices)))
        if len(choices) < 2:
            raise ValueError(f"must be two or more, but got {got}; put a constant into `[fixed]`")
        if len({stored(choice) for choice in choices}) < len(choices):
            raise ValueError(f"must differ, but got {got}; drop the repeated ones")
        return choices

    def distribution(self) -> BaseDistribution:
        """Optuna's own."""
        return CategoricalDistribution([stored(choice) for choice in self.choices])

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        """Optuna's choice."""
        known = {stored(choice): choice for choice in self.choices}
        return known[trial.suggest_categorical(name, list(known))]

    def own(self, value: Any) -> Any:
        """`value` as the entry would give it; None if it cannot."""
        return next((choice for choice in self.choices if choice == value and _kind(choice) is _kind(value)), None)

    def values(self) -> list[Any]:
        """Values at which the entry is checked against the run's rules."""
        return list(self.choices)


SpaceEntry = Annotated[FloatEntry | IntEntry | CategoricalEntry, Field(discriminator="type")]


class Space(RootModel[dict[str, SpaceEntry]]):
    """Entries by the name of the `RunConfig` field that they search."""

    model_config = ConfigDict(frozen=True)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """In the order in which they are asked: by name, but an entry after those that its condition names."""
        ready, waiting = self._order()
        return (*ready, *waiting)

    def circle(self) -> tuple[str, ...]:
        """Entries whose conditions wait for each other."""
        return self._order()[1]

    def _order(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        done: list[str] = []
        waiting = sorted(self.root)
        while ready := [name for name in waiting if not set(self[name].when) & set(waiting)]:
            done += ready
            waiting = [name for name in waiting if name not in ready]
        return tuple(done), tuple(waiting)

    def __getitem__(self, name: str) -> FloatEntry | IntEntry | CategoricalEntry:
        return self.root[name]

    def __contains__(self, name: object) -> bool:
        return name in self.root

    @property
    def is_conditional(self) -> bool:
        """Whether an entry has a `when`."""
        return any(entry.when for entry in self.root.values())

    def distributions(self) -> dict[str, BaseDistribution]:
        """Optuna's own, by name."""
        return {name: self[name].distribution() for name in self.names}

    def active(self, values: Mapping[str, Any]) -> Iterator[str]:
        """Names whose condition, and its parents' conditions, hold under complete `values`."""
        chosen = {name: value for name, value in values.items() if name not in self}
        for name in self.names:
            if self[name].applies(chosen):
                chosen[name] = values[name]
                yield name

    def ask(self, trial: BaseTrial, otherwise: Mapping[str, Any]) -> dict[str, Any]:
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
                sampled[name] = self[name].suggest(trial, name)
        return sampled

    def narrowed(self, *, learning_rate: tuple[float, float]) -> "Space":
        """The same space with other bounds of the learning rate."""
        entry = self.root["learning_rate"]
        low, high = learning_rate
        return Space(self.root | {"learning_rate": entry.model_copy(update={"low": low, "high": high})})

    def holds(self, name: str, value: Any) -> bool:
        """Whether the entry can take `value`."""
        return self[name].own(value) is not None


def stored(value: Any) -> Any:
    """A value as Optuna's storage keeps it: a list as its JSON text, everything else as it is."""
    return json.dumps(value) if isinstance(value, list) else value


def _is_simple(value: Any) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _kind(value: Any) -> type:
    """1, 1.0 and True are equal in Python; the first two are one number, the third is not."""
    return float if _is_number(value) else type(value)


def _on_grid(value: float, low: float, step: float) -> bool:
    steps = (value - low) / step
    return math.isclose(steps, round(steps), abs_tol=1e-8)
