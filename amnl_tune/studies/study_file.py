"""Reads a study file and lists everything that is wrong with it."""

import copy
import difflib
import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from amnl_tune.documents import from_toml, text_of
from amnl_tune.errors import ConfigurationError
from amnl_tune.files import read_plain
from amnl_tune.installation import shipped, typed_path
from amnl_tune.studies.optuna_parts import option_problems
from amnl_tune.studies.problems import Problem, StudyFileError, location, problems_of, shown
from amnl_tune.studies.rules import checked
from amnl_tune.studies.spec import StudySpec

STUDIES = Path("studies")

LARGEST = 2**20
"""Bytes of a study file; ours have some thousand."""

STAND_INS: dict[tuple[str, ...], Any] = {
    ("name",): "study",
    ("data",): {},
    ("data", "dataset"): "FD001",
    ("budget",): {},
    ("budget", "trials"): 1_000_000,
    ("space",): {"learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2}},
}
"""For what a file must give and does not, so that the rest of it can be checked too."""


def load_study_spec(path: Path | str) -> StudySpec:
    """The study of a file; its name is the file's unless the file says otherwise.

    `studies/...` is found from anywhere, where it came with amnl-tune and is not in the current folder.

    Raises:
        ConfigurationError: no such file, or not a text.
        StudyFileError: everything that is wrong with its content.
    """
    path = _there(Path(path))
    try:
        text = text_of(read_plain(path, LARGEST))
    except FileNotFoundError:
        raise ConfigurationError(f"A study file must exist, but there is no {path}{_near(path)}") from None
    except OSError as error:
        remedy = "; change its permissions" if isinstance(error, PermissionError) else "; name a file"
        if isinstance(error, IsADirectoryError):
            remedy = _near(path / "study.toml")
        raise ConfigurationError(
            f"A study file must be readable, but {path} is not: {error.strerror or error}{remedy}"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"A study file must be UTF-8 text, but {path} has {error}") from error
    return parse_study_spec(text, name=path.stem, origin=str(path))


def parse_study_spec(text: str, *, name: str = "study", origin: str = "study file") -> StudySpec:
    """The study of a TOML text.

    Args:
        text: TOML.
        name: of the study, unless the text says otherwise.
        origin: what messages call the text.

    Raises:
        StudyFileError: everything that is wrong with it.
    """
    try:
        document = from_toml(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise StudyFileError(origin, [Problem("", f"must be TOML, but: {error}")]) from error
    spec, problems = _read({"name": name} | document)
    if "name" not in document:
        problems = [_name_problem(problem, name) for problem in problems]
    space = document.get("space")
    spec, broken = checked(spec, left_out=set(space if isinstance(space, dict) else ()) - set(spec.space.root))
    problems += option_problems(spec) + broken
    if problems:
        raise StudyFileError(origin, list(dict.fromkeys(problems)))
    return spec


def _read(document: dict[str, Any]) -> tuple[StudySpec, list[Problem]]:
    """The tables of the file, each with its own problems; wrong values are left out of the spec.

    Through JSON, because strict JSON has TOML's types: an integer is a number, a text is not, a list is a tuple.
    """
    problems: list[Problem] = []
    rest = copy.deepcopy(document)
    while True:
        try:
            return StudySpec.model_validate_json(json.dumps(rest, default=str), strict=True), problems
        except ValidationError as error:
            found = problems_of(error)
            if rest != document:  # a value is missing because it was wrong: that has been said
                found = [problem for problem in found if not problem.missing]
            problems += found
            for finding in error.errors():
                _mend(rest, location(finding), dict(finding))


def _mend(rest: dict[str, Any], path: list[str], finding: dict[str, Any]) -> None:
    """Leaves out the wrong value, or stands in for the missing one."""
    if path[0] == "space" and len(path) > 1 and finding["type"] != "extra_forbidden":
        rest["space"].pop(path[1], None)
        return
    if finding["type"] != "missing":
        table = rest
        while len(path) > 1 and isinstance(table.get(path[0]), dict):
            table, path = table[path[0]], path[1:]
        table.pop(path[0], None)  # with one wrong item, the whole list
    elif tuple(path) in STAND_INS:
        _table(rest, path[:-1])[path[-1]] = copy.deepcopy(STAND_INS[tuple(path)])
        if path == ["space"]:
            rest.pop("incumbent", None)


def _table(rest: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for part in path:
        rest = rest[part]
    return rest


def _name_problem(problem: Problem, name: str) -> Problem:
    if problem.key != "name":
        return problem
    rule = "letters, digits, `_`, `.` and `-`, at most 100, the first a letter or digit"
    return Problem("name", f"must be given, because the file's own name is no study name, {shown(name)}; use {rule}")


def _there(path: Path) -> Path:
    came_along = shipped(path.name)
    return came_along if path.parent == STUDIES and not path.exists() and came_along.is_file() else path


def _near(path: Path) -> str:
    """A hint at study files in the same folder and in `studies`, those that came along included."""
    here = {other for folder in (path.parent, STUDIES) for other in folder.glob("*.toml")}
    known = {other.stem.lower(): str(other) for other in sorted(here) if other.name != "pyproject.toml"}
    came_along = {other.stem: str(STUDIES / other.name) for other in shipped("").glob("*.toml")}
    near = difflib.get_close_matches(path.stem.lower(), came_along | known, n=1)
    if near:
        return f"; did you mean {(came_along | known)[near[0]]}?"
    written = f"{typed_path(shipped('README.md'))} says how to write one"
    return f"; there are: {', '.join(known.values())}" if known else f"; {written}"
