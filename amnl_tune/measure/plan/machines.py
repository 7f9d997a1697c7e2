"""Published machines and their prices: a table in the package, values of which a file may replace."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from amnl_tune.documents import from_toml, text_of
from amnl_tune.errors import ConfigurationError
from amnl_tune.files import read_plain
from amnl_tune.measure.plan.estimate import Machine
from amnl_tune.measure.plan.pace import Pace, PublishedPace
from amnl_tune.studies.problems import did_you_mean, wording

TABLE = "published.toml"
LARGEST = 2**20
"""Bytes of a file of prices."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Run(_Table):
    """Of one data set, on one GPU: windows an epoch, minutes in all."""

    windows: int = Field(gt=0)
    minutes: float = Field(gt=0)


class Gpu(_Table):
    """Minutes of a run on one, dollars an hour."""

    minutes: float = Field(gt=0)
    price_per_hour: float = Field(ge=0)


class Scenario(_Table):
    """`count` GPUs of a kind on one run at a time, in so many minutes with these options.

    `study` holds the tables of a study file that trains so.
    """

    gpu: str
    count: int = Field(1, ge=1)
    minutes: float = Field(gt=0)
    options: str = ""
    study: dict[str, dict[str, Any]] = {}


class Machines(_Table):
    """The whole table: a run's epochs, runs by data set, GPUs by name, the speed of a run by its number of GPUs.

    `memory`: GB of the device that a run takes, by precision. `currency`: of all prices.
    """

    currency: str
    epochs: int = Field(gt=0)
    runs: dict[str, Run] = Field(min_length=1)
    gpus: dict[str, Gpu] = Field(min_length=1)
    ddp: dict[int, float]
    memory: dict[str, float]
    scenarios: dict[str, Scenario]

    @model_validator(mode="after")
    def _known(self) -> "Machines":
        for name, scenario in self.scenarios.items():
            if scenario.gpu not in self.gpus:
                raise ValueError(
                    f"`scenarios.{name}.gpu` must be one of {', '.join(self.gpus)}, but got {scenario.gpu!r}"
                    f"{did_you_mean(scenario.gpu, self.gpus)}"
                )
        return self

    def seconds_a_window(self, minutes: float, dataset: str) -> float:
        """Where a run takes `minutes` in the mean over the data sets; of an unknown data set, the mean over them."""
        mean = fmean(run.minutes for run in self.runs.values())
        known = [self.runs[dataset]] if dataset in self.runs else list(self.runs.values())
        return fmean(minutes * run.minutes / mean * 60 / self.epochs / run.windows for run in known)

    def scenario(self, name: str, *, option: str = "--preset") -> Scenario:
        """Raises ConfigurationError, which names the `option`, for an unknown one."""
        if name not in self.scenarios:
            raise ConfigurationError(
                f"`{option}` must be one of {', '.join(self.scenarios)}, but got {name!r}"
                f"{did_you_mean(name, self.scenarios)}"
            )
        return self.scenarios[name]

    def machines(self, dataset: str, workers: Sequence[int]) -> list[Machine]:
        """The GPUs, each with several numbers of workers that have one of their own."""
        return [
            Machine(
                name, count, count, self._pace(gpu.minutes, dataset), price_per_hour=gpu.price_per_hour,
                ddp=self.ddp.get(count),
            )
            for name, gpu in self.gpus.items()
            for count in workers
        ]  # fmt: skip

    def machine(self, name: str, dataset: str) -> Machine:
        """Of a scenario: its GPUs train one run at a time. Raises ConfigurationError for an unknown one."""
        chosen = self.scenario(name)
        return Machine(
            name=name,
            workers=1,
            at_once=1,
            pace=self._pace(chosen.minutes, dataset),
            accelerators=chosen.count,
            price_per_hour=self.gpus[chosen.gpu].price_per_hour,
            note=f"{chosen.count} x {chosen.gpu}: {chosen.options}",
        )

    def _pace(self, minutes: float, dataset: str) -> Callable[[int], Pace]:
        """However many work side by side, each has a GPU of its own."""
        pace = PublishedPace(self.seconds_a_window(minutes, dataset))
        return lambda _: pace


def load_machines(path: Path | None = None) -> Machines:
    """The published table, with the values of the file `path` in the place of its own.

    Raises:
        ConfigurationError: no such file, not TOML, an unknown key, a value out of bounds.
    """
    shipped = tomllib.loads(files(__package__).joinpath(TABLE).read_text(encoding="utf-8"))
    if path is None:
        return Machines.model_validate(shipped)
    try:
        return Machines.model_validate(_merged(shipped, _read(path)))
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {_problem(dict(error.errors()[0]), shipped)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return from_toml(text_of(read_plain(path, LARGEST)))
    except OSError as error:
        raise ConfigurationError(
            f"`--prices` must be a readable file, but {path} is not: {error.strerror}; mend the path"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"`--prices` must be TOML, but {path} is not: {error}") from error


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
        for key, value in above.items()
    }
    return {**below, **both}


def _problem(finding: dict[str, Any], shipped: Mapping[str, Any]) -> str:
    """One line: the dotted key, the rule, the value, the remedy."""
    path = [str(part) for part in finding["loc"]]
    key = ".".join(path)
    if finding["type"] == "extra_forbidden":
        kinds: dict[str, type[_Table]] = {"runs": Run, "gpus": Gpu, "scenarios": Scenario}
        known = list((kinds[path[0]] if len(path) > 1 else Machines).model_fields)
        near = did_you_mean(path[-1], known) or f"; known: {', '.join(known)}"
        return f"`{key}` is not a key of a price table{near}"
    if finding["type"] == "missing":
        near = did_you_mean(path[1], shipped[path[0]]) if len(path) == 3 else ""
        return f"`{key}` must be given, because {'.'.join(path[:-1])} is not in the published table{near}"
    if not path:
        return str(finding["ctx"]["error"]) if "error" in finding.get("ctx", {}) else str(finding["msg"])
    return f"`{key}` {wording(finding)}"
