"""What is wrong with a study file, each problem at its key."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from amnl_tune.errors import ConfigurationError
from amnl_tune.search.space import CategoricalEntry, FloatEntry, IntEntry

__all__ = ["Problem", "StudyFileError", "did_you_mean", "problems_of"]

ENTRY_TYPES: Mapping[str, type[BaseModel]] = {"float": FloatEntry, "int": IntEntry, "categorical": CategoricalEntry}


@dataclass(frozen=True)
class Problem:
    """`key` is dotted, as in `space.learning_rate.low`; `message` says rule, values and remedy."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"`{self.key}` {self.message}" if self.key else self.message


class StudyFileError(ConfigurationError):
    """A study file breaks rules; `problems` holds every one of them."""

    def __init__(self, origin: str, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            message = f"{origin}: {self.problems[0]}"
        else:
            message = f"{origin} has {len(self.problems)} problems:\n" + "\n".join(f"  {p}" for p in self.problems)
        super().__init__(message)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest known name; empty if none is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Pydantic's findings in our words."""
    return [_problem(dict(finding), model) for finding in error.errors()]


def _problem(finding: dict[str, Any], model: type[BaseModel]) -> Problem:
    path = [part for part in finding["loc"] if not (part in ENTRY_TYPES and "space" in finding["loc"])]
    key = ".".join(map(str, path))
    match finding["type"]:
        case "extra_forbidden":
            known = sorted(_known_names(model, finding["loc"]))
            return Problem(key, f"is not a key of a study file{did_you_mean(str(path[-1]), known) or _one_of(known)}")
        case "missing":
            return Problem(key, "must be given, but is missing")
        case "union_tag_not_found":
            return Problem(f"{key}.type", 'must be given: "float", "int" or "categorical"')
        case "union_tag_invalid":
            return Problem(
                f"{key}.type", f'must be "float", "int" or "categorical", but got {finding["input"]["type"]!r}'
            )
        case "value_error":
            return Problem(key, str(finding["ctx"]["error"]))
        case _:
            return Problem(
                key, f"is wrong: {finding['msg'][0].lower()}{finding['msg'][1:]}, but got {finding['input']!r}"
            )


def _one_of(known: list[str]) -> str:
    return f"; known here: {', '.join(known)}" if known else ""


def _known_names(model: type[BaseModel], loc: tuple[Any, ...]) -> set[str]:
    """Keys that the table at `loc` may have."""
    for part in loc[:-1]:
        if part in ENTRY_TYPES:
            return set(ENTRY_TYPES[part].model_fields)
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and inner.__name__ != "Space":
            model = inner
    return set(model.model_fields)
