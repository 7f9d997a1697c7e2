"""Optuna's samplers and pruners by their own names and keyword arguments."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from amnl_tune.studies.problems import Problem, did_you_mean, shown
from amnl_tune.studies.sections import PrunerTable, SamplerTable
from amnl_tune.studies.spec import StudySpec

Part = TypeVar("Part")

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
REFUSED = {
    "WilcoxonPruner": "compares folds of a cross-validation, not learning curves",
    "GridSampler": "ignores the study file's space",
    "BruteForceSampler": "enumerates the space, which floats do not allow",
    "CmaEsSampler": "cannot sample categorical entries and ignores pruned trials",
    "NSGAIISampler": "is for several objectives",
    "NSGAIIISampler": "is for several objectives",
    "PartialFixedSampler": "does what `[fixed]` does",
}
NOT_IN_TOML = "is a Python object and cannot be written in TOML"
OWN = {
    "seed": "is derived from the study's `seed`, for each trial another",
    "wrapped_pruner": NOT_IN_TOML,
    "independent_sampler": NOT_IN_TOML,
    "constraints_func": NOT_IN_TOML,
    "gamma": NOT_IN_TOML,
    "weights": NOT_IN_TOML,
}
EPOCHS = {
    ("HyperbandPruner", "max_resource"): 'each worker would settle "auto" on its own, and brackets would differ',
    ("HyperbandPruner", "min_resource"): "it is the first cut",
    ("SuccessiveHalvingPruner", "min_resource"): 'with "auto" nothing is cut before the first complete trial, then '
    "after a hundredth of its epochs",
}
"""Options that must be a number of epochs, with the reason (optuna: Traps; performance: Pruning)."""

TYPES: Mapping[str, type] = {"int": int, "float": float, "bool": bool, "str": str}


def build_sampler(spec: StudySpec, seed: int) -> BaseSampler:
    """The sampler of one slot, seeded by `seed`.

    QMC's sequence is one for all slots, so it takes the study's seed; only what it draws outside the sequence is the
    slot's own.
    """
    options: dict[str, Any] = dict(spec.sampler.options)
    match spec.sampler.name:
        case "TPESampler":
            if spec.space.is_conditional and options.get("multivariate") is not False:
                options.setdefault("group", True)
            options["seed"] = seed
        case "QMCSampler":
            options.setdefault("warn_independent_sampling", False)
            options["seed"] = spec.seed % 2**32
            options["independent_sampler"] = optuna.samplers.RandomSampler(seed=seed)
        case "GPSampler":
            options.setdefault("warn_independent_sampling", False)
            options["seed"] = seed
        case _:
            options["seed"] = seed
    return _quietly(SAMPLERS[spec.sampler.name], options)


def build_pruner(spec: StudySpec) -> BasePruner:
    """The study's pruner."""
    given = {"wrapped_pruner": None} if spec.pruner.name == "PatientPruner" else {}
    return _quietly(PRUNERS[spec.pruner.name], given | spec.pruner.options)


def option_problems(spec: StudySpec) -> list[Problem]:
    """What is wrong with `[sampler]` and `[pruner]`."""
    sampler = _problems("sampler", spec.sampler, SAMPLERS)
    pruner = _problems("pruner", spec.pruner, PRUNERS)
    sampler = sampler or _refusals("sampler", spec.sampler, lambda: build_sampler(spec, 0))
    pruner = pruner or _refusals("pruner", spec.pruner, lambda: build_pruner(spec))
    return sampler + pruner


def _problems(table: str, part: SamplerTable | PrunerTable, known: Mapping[str, type]) -> list[Problem]:
    if part.name not in known:
        why = f": {part.name} {REFUSED[part.name]}" if part.name in REFUSED else did_you_mean(part.name, known)
        return [Problem(f"{table}.name", f"must be one of {', '.join(known)}, but got {shown(part.name)}{why}")]
    parameters = inspect.signature(known[part.name]).parameters
    accepted = {name: parameter for name, parameter in parameters.items() if name not in OWN}
    messages = {name: _option_problem(part.name, name, value, accepted) for name, value in part.options.items()}
    for name, parameter in accepted.items():
        needed = parameter.default is parameter.empty or (part.name, name) in EPOCHS
        if needed and name not in part.options:
            why = f": {EPOCHS[part.name, name]}" if (part.name, name) in EPOCHS else ""
            messages[name] = f"must be given for {part.name}{why}"
    return [Problem(f"{table}.{name}", message) for name, message in messages.items() if message]


def _option_problem(name: str, option: str, value: Any, accepted: Mapping[str, inspect.Parameter]) -> str | None:
    if option in OWN:
        return f"cannot be set: it {OWN[option]}"
    if option not in accepted:
        hint = did_you_mean(option, accepted) or f"; it has {', '.join(accepted) or 'none'}"
        return f"is not an option of {name}{hint}"
    if (name, option) in EPOCHS and type(value) is not int:
        return f"must be a number of epochs, but got {shown(value)}: {EPOCHS[name, option]}"
    annotation = accepted[option].annotation
    words = [word.strip() for word in getattr(annotation, "__name__", str(annotation)).split("|")]
    allowed = [TYPES[word] for word in words if word in TYPES]
    if type(value) in allowed or (float in allowed and type(value) is int):
        return None
    return f"must be {' or '.join(word for word in words if word in TYPES)}, but got {shown(value)}"


def _refusals(table: str, part: SamplerTable | PrunerTable, build: Callable[[], object]) -> list[Problem]:
    """Optuna's own verdict on the values, deprecated options among them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            build()
    except (ValueError, TypeError, FutureWarning) as error:
        named = [option for option in part.options if option in str(error)]
        key = f"{table}.{named[0]}" if len(named) == 1 else table
        return [Problem(key, f"is refused by Optuna: {' '.join(str(error).split())}")]
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
