"""What is wrong with a study file: each problem at its dotted key, in words that say rule, values and remedy."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from amnl_tune.documents import printable
from amnl_tune.errors import ConfigurationError
from amnl_tune.installation import shipped, typed_path
from amnl_tune.studies.space import CategoricalEntry, FloatEntry, IntEntry
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig

ENTRY_TYPES: Mapping[str, type[BaseModel]] = {"float": FloatEntry, "int": IntEntry, "categorical": CategoricalEntry}

EXAMPLES = {
    "budget": "[budget] with `trials = 50`",
    "budget.trials": "`trials = 50`",
    "data": '[data] with `dataset = "FD001"`',
    "data.dataset": '`dataset = "FD001"`',
    "space": '[space.learning_rate] with `type = "float"`, `low = 1e-4`, `high = 1e-2`, `log = true`',
}
RULES: Mapping[str, str] = {
    "int_type": "must be an integer",
    "float_type": "must be a number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "finite_number": "must be finite",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be above {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be below {lt}",
    "too_short": "must have {min_length} values or more",
    "too_long": "must have {max_length} values or fewer",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must match {pattern}",
    "string_too_long": "must have {max_length} characters or fewer",
}
"""By pydantic's name of what is wrong."""

TOLD, LONGEST = 50, 200
"""Problems that a message tells, and characters of a value in it."""

TYPES = '"float", "int" or "categorical"'


@dataclass(frozen=True)
class Problem:
    """`key` is dotted, as in `space.learning_rate.low`; `message` goes on from it: "must be below ...".

    `missing`: nothing is there, which may be because a wrong value was left out.
    """

    key: str
    message: str
    missing: bool = False

    def __str__(self) -> str:
        return printable(f"`{_cut(self.key)}` {self.message}" if self.key else self.message)


class StudyFileError(ConfigurationError):
    """A study file breaks rules; `problems` holds every one of them. One problem makes one line."""

    def __init__(self, origin: str, problems: Iterable[Problem]) -> None:
        self.origin = origin
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            message = f"{origin}: {self.problems[0]}"
        else:
            more = len(self.problems) - TOLD
            lines = [*(f"  {p}" for p in self.problems[:TOLD]), *([f"  and {more} more"] if more > 0 else [])]
            message = "\n".join([f"{origin} has {len(self.problems)} problems:", *lines])
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.origin, self.problems)


def no_setting(name: str, known: Iterable[str]) -> str:
    """That a run has no such setting, and where those it has are listed."""
    hint = did_you_mean(name, known) or f"; {typed_path(shipped('README.md'))} lists them"
    return f"is not a setting of a run{hint}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest known name; empty if none is near."""
    near = difflib.get_close_matches(name[:LONGEST], sorted(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def shown(value: Any) -> str:
    """A value as a study file writes it."""
    return _cut(json.dumps(value, default=str, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def location(finding: Mapping[str, Any]) -> list[str]:
    """Where in the file; pydantic's own path also names the member of a union."""
    loc = list(finding["loc"])
    if loc[:1] == ["space"] and len(loc) > 2 and loc[2] in ENTRY_TYPES:
        del loc[2]
    return [str(part) for part in loc]


def problems_of(error: ValidationError) -> list[Problem]:
    """Pydantic's findings about a study file in our words."""
    return [problem for finding in error.errors() for problem in _problems(dict(finding))]


def _problems(finding: dict[str, Any]) -> list[Problem]:
    path = location(finding)
    key = ".".join(path)
    match finding["type"]:
        case "rules":
            return [Problem(f"{key}.{name}", message) for name, message in finding["ctx"]["rules"]]
        case "extra_forbidden":
            message = _unknown(path, finding["loc"])
        case "missing":
            message = "must be given" + (f", e.g. {EXAMPLES[key]}" if key in EXAMPLES else "")
        case "union_tag_not_found":
            key, message = f"{key}.type", f"must be given: {TYPES}"
        case "union_tag_invalid":
            given = finding["ctx"]["tag"]
            key = f"{key}.type"
            message = f"must be {TYPES}, but got {shown(given)}{did_you_mean(given, ENTRY_TYPES)}"
        case "dict_type" if len(path) == 2 and path[0] == "space":
            message = f"{wording(finding)}; a constant goes into `[fixed]`"
        case _:
            message = wording(finding)
    return [Problem(key, message, missing=finding["type"] in {"missing", "union_tag_not_found"})]


def wording(finding: Mapping[str, Any]) -> str:
    """A finding about one value as the end of a sentence that begins with its key."""
    kind, context = finding["type"], finding.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    rule = RULES[kind].format(**context) if kind in RULES else f"is refused: {finding['msg']}"
    hint = ""
    if kind in {"enum", "literal_error"}:
        known = [name.strip("'") for name in context["expected"].replace(" or ", ", ").split(", ")]
        hint = did_you_mean(str(finding["input"]), known)
    return f"{rule}, but got {shown(finding['input'])}{hint}"


def _unknown(path: list[str], loc: tuple[Any, ...]) -> str:
    known = _known_names(loc)
    elsewhere = [
        f"{table}.{path[-1]}" for table, field in StudySpec.model_fields.items() if path[-1] in _keys(field.annotation)
    ]
    if path[-1] in RunConfig.model_fields:
        elsewhere.append(f"fixed.{path[-1]}")
    hint = f"; did you mean `{elsewhere[0]}`?" if elsewhere else did_you_mean(path[-1], known)
    return f"is not a key of a study file{hint or '; known here: ' + ', '.join(known)}"


def _known_names(loc: tuple[Any, ...]) -> list[str]:
    """Keys that the table around `loc` may have."""
    if loc[0] == "space":
        return list(ENTRY_TYPES[loc[2]].model_fields)
    return _keys(StudySpec.model_fields[loc[0]].annotation if len(loc) > 1 else StudySpec)


def _keys(table: Any) -> list[str]:
    return [field.alias or name for name, field in getattr(table, "model_fields", {}).items()]
