"""Optuna's samplers and pruners by their own names and keyword arguments."""

import inspect
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from amnl_tune.search.problems import Problem, did_you_mean
from amnl_tune.search.spec import StudySpec

__all__ = ["build_pruner", "build_sampler", "experiments_intended", "option_problems"]

SAMPLERS: Mapping[str, type[BaseSampler]] = {
    kind.__name__: kind
    for kind in (
        optuna.samplers.TPESampler,
        optuna.samplers.RandomSampler,
        optuna.samplers.QMCSampler,
        optuna.samplers.GPSampler,
    )
}
PRUNERS: Mapping[str, type[BasePruner]] = {
    kind.__name__: kind
    for kind in (
        optuna.pruners.SuccessiveHalvingPruner,
        optuna.pruners.HyperbandPruner,
        optuna.pruners.MedianPruner,
        optuna.pruners.PercentilePruner,
        optuna.pruners.ThresholdPruner,
        optuna.pruners.PatientPruner,
        optuna.pruners.NopPruner,
    )
}
Part = TypeVar("Part")
REFUSED = {
    "WilcoxonPruner": "compares folds of a cross-validation, not learning curves",
    "GridSampler": "ignores the study file's space",
    "CmaEsSampler": "cannot sample categorical entries and ignores pruned trials",
}
OWN = {
    "seed": "is derived from the study's `seed`, differently for each trial",
    "wrapped_pruner": "cannot be written in TOML",
    "independent_sampler": "cannot be written in TOML",
    "constraints_func": "cannot be written in TOML",
    "gamma": "cannot be written in TOML",
    "weights": "cannot be written in TOML",
}
DEFAULTS = {"SuccessiveHalvingPruner": {"min_resource": 3, "reduction_factor": 4}}
"""Ours where Optuna's are bad for learning curves (performance: Pruning)."""


def build_sampler(spec: StudySpec, seed: int) -> BaseSampler:
    """The sampler for one slot. QMC's sequence is one for all, so it takes the study's seed instead of the slot's."""
    kind, options = SAMPLERS[spec.sampler.name], dict(spec.sampler.options)
    if kind is optuna.samplers.TPESampler and spec.space.is_conditional:
        options.setdefault("group", True)
    own = spec.seed % 2**32 if kind is optuna.samplers.QMCSampler else seed
    return _quietly(kind, options | {"seed": own})


def build_pruner(spec: StudySpec) -> BasePruner:
    """The study's pruner."""
    name = spec.pruner.name
    given = {"wrapped_pruner": None} if name == "PatientPruner" else {}
    return _quietly(PRUNERS[name], given | DEFAULTS.get(name, {}) | spec.pruner.options)


def option_problems(spec: StudySpec) -> list[Problem]:
    """What is wrong with `[sampler]` and `[pruner]`."""
    problems = _problems("sampler", spec.sampler.name, spec.sampler.options, SAMPLERS)
    problems += _problems("pruner", spec.pruner.name, spec.pruner.options, PRUNERS)
    if spec.pruner.name == "HyperbandPruner" and not isinstance(spec.pruner.options.get("max_resource"), int):
        got = spec.pruner.options.get("max_resource", "auto")
        problems.append(
            Problem(
                "pruner.max_resource", f'must be a number of epochs, but got {got!r}: "auto" differs between workers'
            )
        )
    if not problems:
        problems += _refusals("sampler", lambda: build_sampler(spec, 0)) + _refusals(
            "pruner", lambda: build_pruner(spec)
        )
    return problems


def _problems(table: str, name: str, options: Mapping[str, Any], known: Mapping[str, type]) -> list[Problem]:
    if name not in known:
        why = f": it {REFUSED[name]}" if name in REFUSED else did_you_mean(name, known)
        return [Problem(f"{table}.name", f"must be one of {', '.join(known)}, but got {name!r}{why}")]
    accepted = [option for option in inspect.signature(known[name]).parameters if option not in OWN]
    return [
        Problem(f"{table}.{option}", _why_not(name, option, accepted)) for option in options if option not in accepted
    ]


def _why_not(name: str, option: str, accepted: list[str]) -> str:
    if option in OWN:
        return f"cannot be set: it {OWN[option]}"
    return f"is no option of {name}{did_you_mean(option, accepted) or '; it has: ' + (', '.join(accepted) or 'none')}"


def _refusals(table: str, build: Any) -> list[Problem]:
    """Optuna's own verdict on the values."""
    try:
        build()
    except (ValueError, TypeError) as error:
        return [Problem(table, f"is refused by Optuna: {error}")]
    return []


def _quietly(kind: type[Part], options: Mapping[str, Any]) -> Part:
    with experiments_intended():
        return kind(**options)


@contextmanager
def experiments_intended() -> Iterator[None]:
    """Grouped sampling and metric names are experimental in Optuna 5; we mean to use them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
