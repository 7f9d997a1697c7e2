"""Reads a study file and lists everything that is wrong with it."""

import copy
import difflib
import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.configuration import DataConfig
from amnl_tune.search.optuna_parts import option_problems
from amnl_tune.search.problems import Problem, StudyFileError, did_you_mean, problems_of
from amnl_tune.search.space import CategoricalEntry
from amnl_tune.search.spec import StudySpec
from amnl_tune.training.config import RunConfig

__all__ = ["load_study_spec", "parse_study_spec"]

PROTOCOL = {*DataConfig.model_fields, "seed", "epochs", "horizon"}
"""Settings with a table of their own, never fixed or searched: they decide what is measured, not how well."""


def load_study_spec(path: Path) -> StudySpec:
    """The study of a file; its name is the file's unless the file says otherwise.

    Raises:
        ConfigurationError: no such file, or not a text.
        StudyFileError: everything that is wrong with its content.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"A study file must exist, but there is no {path}{_near(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"A study file must be a readable TOML text, but {path} is not: {reason}") from error
    return parse_study_spec(text, name=path.stem, origin=str(path))


def parse_study_spec(text: str, *, name: str = "study", origin: str = "study file") -> StudySpec:
    """The study of a TOML text. Raises as `load_study_spec`."""
    try:
        document = {"name": name} | tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyFileError(origin, [Problem("", f"must be TOML, but: {error}")]) from error
    problems: list[Problem] = []
    try:
        spec = StudySpec.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error, StudySpec)
        rest = _without(document, error)
        if rest is None:
            raise StudyFileError(origin, problems) from None
        spec = rest
    problems += _rule_problems(spec)
    if problems:
        raise StudyFileError(origin, problems)
    return spec


def _without(document: dict[str, Any], error: ValidationError) -> StudySpec | None:
    """The file less its wrong values, so that rules between tables are checked too; None if too little is left."""
    rest = copy.deepcopy(document)
    for finding in error.errors():
        path = [part for part in finding["loc"] if part not in {"float", "int", "categorical"}]
        if path[:1] == ["space"]:
            path = path[:2]  # a wrong entry is left out whole
        table: Any = rest
        for part in path[:-1]:
            table = table.get(part) if isinstance(table, dict) else None
        if isinstance(table, dict):
            table.pop(path[-1], None)
    try:
        return StudySpec.model_validate(rest)
    except ValidationError:
        return None


def _rule_problems(spec: StudySpec) -> list[Problem]:
    """Rules between tables, in the order of the file."""
    problems = _trial_problems(spec) + option_problems(spec) + _name_problems(spec) + _condition_problems(spec)
    if problems:
        return problems
    problems = _fixed_problems(spec)
    if problems:
        return problems
    return _incumbent_problems(spec) + _value_problems(spec) + _promotion_problems(spec)


def _trial_problems(spec: StudySpec) -> list[Problem]:
    problems, trial = [], spec.trial
    if trial.horizon is not None and trial.horizon < trial.epochs:
        problems.append(
            Problem(
                "trial.horizon", f"must be at least `trial.epochs`, but got {trial.horizon} for {trial.epochs} epochs"
            )
        )
    elif trial.horizon is not None and spec.promotion.enabled and trial.horizon != spec.promotion.epochs:
        problems.append(
            Problem(
                "trial.horizon",
                f"must equal `promotion.epochs`, but got {trial.horizon} and {spec.promotion.epochs}: a promotion goes "
                "on from its trial on one schedule",
            )
        )
    if spec.budget.epochs is not None and spec.budget.epochs < trial.epochs:
        problems.append(
            Problem(
                "budget.epochs",
                f"must allow one trial, but got {spec.budget.epochs} for trials of {trial.epochs} epochs",
            )
        )
    return problems


def _name_problems(spec: StudySpec) -> list[Problem]:
    """Keys of `[fixed]`, `[incumbent]`, `[space]` and `[promotion.overrides]`."""
    problems = (
        [] if spec.space.root else [Problem("space", "must have an entry, but is empty; add [space.learning_rate]")]
    )
    settings = set(RunConfig.model_fields) - PROTOCOL
    tables = {"fixed": spec.fixed, "space": spec.space.root, "promotion.overrides": spec.promotion.overrides}
    for table, entries in tables.items():
        for name in entries:
            if name in PROTOCOL:
                problems.append(
                    Problem(
                        f"{table}.{name}",
                        "belongs to the protocol, which trials share; set it in [data], [trial] or at the top",
                    )
                )
            elif name not in settings:
                problems.append(Problem(f"{table}.{name}", f"is not a setting of a run{did_you_mean(name, settings)}"))
    problems += [
        Problem(f"fixed.{name}", "is searched too; keep it in one of [fixed] and [space]")
        for name in spec.fixed
        if name in spec.space
    ]
    problems += [
        Problem(
            f"incumbent.{name}",
            f"must be searched, but is not{did_you_mean(name, spec.space.root)}; put it into [fixed]",
        )
        for name in spec.incumbent
        if name not in spec.space
    ]
    return problems


def _condition_problems(spec: StudySpec) -> list[Problem]:
    problems = []
    for name, entry in spec.space.root.items():
        for parent, allowed in entry.when.items():
            key = f"space.{name}.when.{parent}"
            if parent not in RunConfig.model_fields or parent == name:
                problems.append(
                    Problem(key, f"must name another setting of a run{did_you_mean(parent, RunConfig.model_fields)}")
                )
            elif parent in spec.space and isinstance(spec.space[parent], CategoricalEntry):
                unknown = [value for value in allowed if not spec.space.holds(parent, value)]
                if unknown:
                    choices = list(spec.space[parent].values())
                    problems.append(
                        Problem(key, f"must list choices of `space.{parent}`, but got {unknown!r} of {choices!r}")
                    )
    try:
        _ = spec.space.names
    except ValueError as error:
        problems.append(Problem("space", str(error)))
    return problems


def _fixed_problems(spec: StudySpec) -> list[Problem]:
    """`[fixed]` and `[incumbent]` against the run's own rules."""
    for table, values in (("fixed", spec.base_values()), ("incumbent", spec.base_values() | spec.incumbent)):
        try:
            RunConfig.build(values)
        except ConfigurationError as error:
            return [Problem(table, str(error))]
    return []


def _incumbent_problems(spec: StudySpec) -> list[Problem]:
    """Optuna would record a parameter outside its distribution."""
    return [
        Problem(
            f"space.{name}",
            f"must hold the published default {value!r}, so that the incumbent is a trial of the study, but does not; "
            f"widen it, or set `incumbent.{name}`",
        )
        for name, value in spec.incumbent_parameters().items()
        if not spec.space.holds(name, value)
    ]


def _value_problems(spec: StudySpec) -> list[Problem]:
    """Every value of an entry, and every pair of two entries' values, must make a run."""
    base = spec.base_values() | spec.incumbent
    problems = []
    for name, entry in spec.space.root.items():
        wrong = [(value, reason) for value in entry.values() if (reason := _refusal(base | {name: value}))]
        if wrong:
            problems.append(
                Problem(f"space.{name}", f"must hold valid values only, but {wrong[0][0]!r} is not: {wrong[0][1]}")
            )
    if problems:
        return problems
    for first, second in itertools.combinations(spec.space.root, 2):
        pairs = itertools.product(spec.space[first].values(), spec.space[second].values())
        reason = next((r for a, b in pairs if (r := _refusal(base | {first: a, second: b}))), None)
        if reason:
            problems.append(Problem(f"space.{second}", f"must fit every value of `space.{first}`, but: {reason}"))
    return problems


def _refusal(values: dict[str, Any]) -> str | None:
    try:
        RunConfig.build(values)
    except ConfigurationError as error:
        return re.sub(r"^A run configuration must be valid, but: ", "", str(error))
    return None


def _promotion_problems(spec: StudySpec) -> list[Problem]:
    try:
        spec.promotion_config(spec.run_config(spec.incumbent_parameters()), spec.promotion.seeds[0])
    except ConfigurationError as error:
        return [Problem("promotion", str(error))]
    return []


def _near(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path("studies")
    known = [str(other) for other in sorted(folder.glob("*.toml"))] if folder.is_dir() else []
    near = difflib.get_close_matches(str(path), known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are: {', '.join(known)}" if known else "; see the README for how to write one"
