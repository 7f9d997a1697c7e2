"""What is wrong with the entries of a search space: names, values, conditions."""

import itertools
from collections.abc import Collection, Iterator
from typing import Any

from amnl_tune.studies.problems import Problem, did_you_mean, no_setting, shown
from amnl_tune.studies.run_settings import INTEGERS, LISTS, PROTOCOL, refusal
from amnl_tune.studies.space import CategoricalEntry, FloatEntry, Space
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import NONE, RunConfig


def sound_space(spec: StudySpec, left_out: Collection[str]) -> tuple[StudySpec, list[Problem]]:
    """The spec with only those entries that are valid by themselves, and the problems of the others.

    Args:
        spec: each entry obeys the rules of its own type.
        left_out: entries of the file that the spec lacks because they do not.
    """
    space, problems = spec.space, []
    if not space.root and not left_out:
        example = 'add [space.learning_rate] with `type = "float"`, `low = 1e-4`, `high = 1e-2`, `log = true`'
        problems.append(Problem("space", f"must have an entry, but is empty; {example}"))
    circle = space.circle()
    if circle:
        rule = f"must not form a circle, but these wait for each other: {', '.join(circle)}; drop one `when`"
        problems.append(Problem(f"space.{circle[0]}.when", rule))
        space = Space({name: entry.model_copy(update={"when": {}}) for name, entry in space.root.items()})
    problems += _condition_problems(spec, left_out)
    wrong = {name: found for name in space.root if (found := list(_entry_problems(space, name)))}
    problems += itertools.chain.from_iterable(wrong.values())
    sound = Space({name: entry for name, entry in space.root.items() if name not in wrong})
    incumbent = {name: value for name, value in spec.incumbent.items() if name in sound}
    return spec.model_copy(update={"space": sound, "incumbent": incumbent}), problems


def _entry_problems(space: Space, name: str) -> Iterator[Problem]:
    entry, key = space[name], f"space.{name}"
    if name in PROTOCOL:
        yield Problem(key, f"cannot be searched: it decides what is measured, not how well; set `{PROTOCOL[name]}`")
    elif name not in RunConfig.model_fields:
        yield Problem(key, no_setting(name, set(RunConfig.model_fields) - set(PROTOCOL)))
    elif name in LISTS and not isinstance(entry, CategoricalEntry):
        yield Problem(f"{key}.type", f'must be "categorical", with lists as choices, but got "{entry.type}"')
    elif isinstance(entry, CategoricalEntry):
        for choice in entry.choices:
            message = refusal(name, choice)
            if choice == NONE and not message:
                message = f'cannot be "{NONE}": put it into `fixed.{name}` and make a study for each'
            if message:
                yield Problem(f"{key}.choices", message)
    elif isinstance(entry, FloatEntry) and name in INTEGERS:
        yield Problem(f"{key}.type", f'must be "int" or "categorical", but got "float": `{name}` is an integer')
    else:
        for end, value in (("low", entry.low), ("high", entry.high)):
            if message := refusal(name, value):
                yield Problem(f"{key}.{end}", message)


def _condition_problems(spec: StudySpec, left_out: Collection[str]) -> Iterator[Problem]:
    for name, entry in spec.space.root.items():
        for parent, allowed in entry.when.items():
            message = None
            if parent in spec.space:
                message = _parent_problem(spec.space, parent, allowed)
            elif parent in spec.fixed:
                held = spec.fixed[parent]
                if held not in allowed:
                    why = f"`fixed.{parent}` is {shown(held)}, so `space.{name}` would never be asked"
                    message = f"must list {shown(held)}, but got {shown(allowed)}: {why}"
            elif parent not in left_out:
                hint = did_you_mean(parent, {*spec.space.root, *spec.fixed}) or "; add it to one of them"
                message = f"must name an entry of `[space]` or a key of `[fixed]`{hint}"
            if message:
                yield Problem(f"space.{name}.when.{parent}", message)


def _parent_problem(space: Space, parent: str, allowed: tuple[Any, ...]) -> str | None:
    entry = space[parent]
    if isinstance(entry, FloatEntry):
        return f"must name a categorical or an int entry, but `space.{parent}` is a float, which hardly equals a value"
    unknown = [value for value in allowed if not space.holds(parent, value)]
    if not unknown:
        return None
    if isinstance(entry, CategoricalEntry):
        return f"must list choices of `space.{parent}`, {shown(entry.choices)}, but got {shown(unknown)}"
    step = f" in steps of {entry.step}" if entry.step else ""
    return f"must list values of `space.{parent}`, {entry.low} to {entry.high}{step}, but got {shown(unknown)}"
