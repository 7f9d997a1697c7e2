"""What the tables of a study file have to do with each other, and with the rules of a run.

What breaks one rule is left out before the next rule is checked, so that a mistake is reported once and hides no other.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from amnl_tune.errors import ConfigurationError
from amnl_tune.studies.problems import Problem, did_you_mean, no_setting, shown
from amnl_tune.studies.run_settings import OWNED, PROMOTED, clash, refusal
from amnl_tune.studies.sections import PromotionTable, TrialTable
from amnl_tune.studies.space import CategoricalEntry
from amnl_tune.studies.space_rules import sound_space
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig


def checked(spec: StudySpec, left_out: Collection[str] = ()) -> tuple[StudySpec, list[Problem]]:
    """The spec with its settings in plain form, and everything that is wrong with it.

    Args:
        spec: each table valid by itself.
        left_out: entries of the space that the spec lacks because they are wrong themselves.
    """
    problems = list(_length_problems(spec))
    spec = _with_sound_lengths(spec, {problem.key for problem in problems})
    spec, found = _sound_settings(spec, left_out)
    problems += found
    spec, found = sound_space(spec, left_out)
    problems += found
    reason = clash(spec.base_values() | spec.incumbent)
    if reason:
        return spec, [*problems, Problem("incumbent" if spec.incumbent else "fixed", f"must fit together: {reason}")]
    spec = _plain(spec)
    said = {problem.key for problem in problems}
    problems += [
        problem for problem in _incumbent_problems(spec) if problem.key.replace("space", "incumbent", 1) not in said
    ]
    problems += [*_value_problems(spec), *_promotion_problems(spec)]
    return spec, problems


def _length_problems(spec: StudySpec) -> Iterator[Problem]:
    trial, promotion = spec.trial, spec.promotion
    if trial.horizon is not None and trial.horizon < trial.epochs:
        rule = f"must be at least `trial.epochs`, but got (horizon={trial.horizon}, epochs={trial.epochs}); raise it"
        yield Problem("trial.horizon", rule)
    elif trial.horizon is not None and promotion.enabled:
        yield from _going_on_problems(trial, promotion)
    elif promotion.horizon is not None and promotion.horizon < promotion.epochs:
        got = f"(horizon={promotion.horizon}, epochs={promotion.epochs})"
        yield Problem("promotion.horizon", f"must be at least `promotion.epochs`, but got {got}; raise it")
    if spec.budget.cost is not None and spec.hardware.price_per_hour is None:
        rule = (
            f"must have a price, but got {spec.budget.cost} without `hardware.price_per_hour`; add one or leave it out"
        )
        yield Problem("budget.cost", rule)
    if spec.budget.epochs is not None and spec.budget.epochs < trial.epochs:
        yield Problem(
            "budget.epochs",
            f"must allow one trial, but got {spec.budget.epochs} for trials of {trial.epochs} epochs; raise it, or "
            "leave it out",
        )


def _going_on_problems(trial: TrialTable, promotion: PromotionTable) -> Iterator[Problem]:
    """A promotion goes on from its trial's checkpoint, on one schedule: it may end before the schedule does."""
    why = "a promotion goes on from its trial on one schedule"
    if promotion.horizon not in (None, trial.horizon):
        got = f"(trial.horizon={trial.horizon}, promotion.horizon={promotion.horizon})"
        yield Problem("promotion.horizon", f"must equal `trial.horizon`, but got {got}: {why}; leave one of them out")
    elif trial.horizon is not None and promotion.epochs > trial.horizon:
        got = f"(horizon={trial.horizon}, epochs={promotion.epochs})"
        yield Problem(
            "trial.horizon", f"must be at least `promotion.epochs`, but got {got}: {why}; raise it, or leave it out"
        )
    if promotion.epochs < trial.epochs:
        got = f"(promotion.epochs={promotion.epochs}, trial.epochs={trial.epochs})"
        yield Problem("promotion.epochs", f"must be at least `trial.epochs` under a horizon, but got {got}: {why}")


def _with_sound_lengths(spec: StudySpec, wrong: Collection[str]) -> StudySpec:
    """Without the horizons that are wrong, so that nothing else is said of them."""
    update = {
        table: getattr(spec, table).model_copy(update={"horizon": None})
        for table in ("trial", "promotion")
        if f"{table}.horizon" in wrong
    }
    return spec.model_copy(update=update)


def _sound_settings(spec: StudySpec, left_out: Collection[str]) -> tuple[StudySpec, list[Problem]]:
    """`[fixed]`, `[incumbent]` and `[promotion.overrides]`: each name and each value by itself."""
    searched = {*spec.space.root, *left_out}
    fixed, problems = _sound("fixed", spec.fixed, OWNED)
    for name in [name for name in fixed if name in searched]:
        problems.append(Problem(f"fixed.{name}", f"is searched too; keep it or `space.{name}`, not both"))
        del fixed[name]
    for name in [name for name in spec.incumbent if searched and name not in searched]:
        hint = did_you_mean(name, searched) or f"; put it into `fixed.{name}`, for all trials"
        problems.append(Problem(f"incumbent.{name}", f"must be searched, but `[space]` has no such entry{hint}"))
    incumbent, found = _sound("incumbent", {n: v for n, v in spec.incumbent.items() if n in spec.space}, {})
    overrides, more = _sound("promotion.overrides", spec.promotion.overrides, PROMOTED)
    promotion = spec.promotion.model_copy(update={"overrides": overrides})
    update = {"fixed": fixed, "incumbent": incumbent, "promotion": promotion}
    return spec.model_copy(update=update), problems + found + more


def _sound(table: str, given: Mapping[str, Any], owned: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """The settings that are valid by themselves, and the problems of the others."""
    wrong: dict[str, str] = {}
    for name, value in given.items():
        if name in owned:
            wrong[name] = f"is not set here; move it to `{owned[name]}`"
        elif name not in RunConfig.model_fields:
            wrong[name] = no_setting(name, set(RunConfig.model_fields) - set(owned))
        elif message := refusal(name, value):
            wrong[name] = message
    sound = {name: value for name, value in given.items() if name not in wrong}
    return sound, [Problem(f"{table}.{name}", message) for name, message in wrong.items()]


def _plain(spec: StudySpec) -> StudySpec:
    """Settings in the form in which a run has them (1 as 1.0), so that equal files have equal fingerprints."""
    plain = spec.run_config(spec.incumbent).plain()
    update = {
        "fixed": {name: plain[name] for name in spec.fixed},
        "incumbent": {name: plain[name] for name in spec.incumbent},
    }
    return spec.model_copy(update=update)


def _incumbent_problems(spec: StudySpec) -> list[Problem]:
    """The incumbent is a trial of the study, and Optuna would record a parameter outside its distribution."""
    problems: dict[str, str] = {}
    for one in [spec, spec.with_dataset(spec.data.fallback)] if spec.data.fallback else [spec]:
        for name, value in one.incumbent_parameters().items():
            if one.space.holds(name, value):
                continue
            entry = one.space[name]
            remedy = f"add it to {shown(entry.choices)}" if isinstance(entry, CategoricalEntry) else "widen the entry"
            if name in one.incumbent:
                message = f"must be a value of `space.{name}`, but got {shown(value)}; {remedy}"
                problems.setdefault(f"incumbent.{name}", message)
            else:
                message = (
                    f"must hold {shown(value)}, the published default for {one.data.dataset}, which is a trial of "
                    f"every study, but does not; {remedy}, or set `incumbent.{name}`"
                )
                problems.setdefault(f"space.{name}", message)
    return [Problem(key, message) for key, message in problems.items()]


def _value_problems(spec: StudySpec) -> Iterator[Problem]:
    """Every value of an entry, and every pair of two entries' values, must make a run with all other settings."""
    base, entries = spec.base_values() | spec.incumbent, spec.space.root
    fitting: dict[str, list[Any]] = {}
    for name, entry in entries.items():
        reasons = [(value, clash({**base, name: value})) for value in entry.values()]
        fitting[name] = [value for value, reason in reasons if not reason]
        misfit = next((f"{shown(value)} does not: {reason}" for value, reason in reasons if reason), None)
        if misfit:
            yield Problem(f"space.{name}", f"must fit the other settings at every value, but {misfit}")
    for first, second in itertools.combinations(entries, 2):
        for a, b in itertools.product(fitting[first], fitting[second]):
            if b not in entries[first].when.get(second, (b,)) or a not in entries[second].when.get(first, (a,)):
                continue  # never together
            reason = clash({**base, first: a, second: b})
            if reason:
                yield Problem(f"space.{second}", f"must fit `space.{first}` at every value, but does not: {reason}")
                break


def _promotion_problems(spec: StudySpec) -> Iterator[Problem]:
    """Whatever the search finds must be fit for promotion."""
    table = "promotion.overrides" if spec.promotion.overrides else "promotion"
    for name, value in [(name, value) for name, entry in spec.space.root.items() for value in entry.values()]:
        try:
            trial = spec.run_config({**spec.incumbent, name: value})
        except ConfigurationError:
            continue  # has been said
        try:
            spec.promotion_config(trial, spec.promotion.seeds[0])
        except ConfigurationError as error:
            reason = str(error).removeprefix("A run configuration must be valid, but: ")
            yield Problem(table, f"must fit every trial, but not {name}={shown(value)}: {reason}")
            return
