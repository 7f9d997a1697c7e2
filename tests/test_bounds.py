"""Upper bounds: every number that may be given has one, and is refused in one line that names it."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from amnl_tune import api
from amnl_tune.bounds import MOST_SEEDS, require
from amnl_tune.cli.app import app
from amnl_tune.errors import ConfigurationError
from amnl_tune.promotion.candidates import seeds_for
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import parse_study_spec
from amnl_tune.training.config import RunConfig

NO_BOUND = {
    "learning_rate", "weight_decay", "clip", "min_delta",  # finite numbers that nothing is counted by
    "low", "high", "step", "choices", "when", "fixed", "incumbent", "overrides", "study", "ewma", "health_thresholds",
}  # fmt: skip


def callbacks(group: typer.Typer) -> Iterator[Any]:
    yield from (command.callback for command in group.registered_commands)
    for inner in group.registered_groups:
        assert inner.typer_instance
        yield from callbacks(inner.typer_instance)


def test_every_number_of_every_command_is_bounded_above() -> None:
    numbers = {}
    for callback in callbacks(app):
        for name, parameter in inspect.signature(callback, eval_str=False).parameters.items():
            told = getattr(parameter.annotation, "__metadata__", ())
            if told and re.search(r"\b(int|float)\b", str(parameter.annotation.__origin__)):
                numbers[f"{callback.__name__} {name}"] = told[0]
    assert len(numbers) > 30
    assert [words for words, option in numbers.items() if option.max is None] == []


@pytest.mark.parametrize("table", ["seeds", "top", "random", "workers", "gpus", "threads"])
def test_a_thousand_million_of_anything_is_one_line(table: str) -> None:
    for value in ("999999999", "9" * 30, "9" * 5_000):
        result = CliRunner().invoke(app, ["promote", "tiny", f"--{table}", value])
        assert result.exit_code == 2
        (line,) = result.stderr.strip().splitlines()
        assert f"--{table}" in line
        assert len(line) < 500


@pytest.mark.parametrize("words", [("study", "extend", "a", "--cost"), ("db", "upgrade", "--wait"), ("worker", "a", "--lease")])  # fmt: skip
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "1e30"])
def test_what_is_not_finite_is_within_no_bounds(words: tuple[str, ...], value: str) -> None:
    result = CliRunner().invoke(app, [*words, value])
    assert result.exit_code == 2
    (line,) = result.stderr.strip().splitlines()
    assert words[-1] in line


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if inspect.isclass(inner) and issubclass(inner, BaseModel):
            yield from fields(inner, f"{path}{name}.")
        else:
            yield f"{path}{name}", field


@pytest.mark.parametrize("model", [StudySpec, RunConfig])
def test_every_integer_of_a_study_file_and_of_a_run_has_an_upper_bound(model: type[BaseModel]) -> None:
    integers = {path: field for path, field in fields(model) if re.search(r"\bint\b", str(field.annotation))}
    assert len(integers) > 10
    for path, field in integers.items():
        bounds = f"{field.metadata} {field.annotation}"
        assert path.split(".")[-1] in NO_BOUND or re.search(r"L[et]\(|max_length|MaxLen", bounds), (path, bounds)


def test_keys_beyond_them_are_named(tiny_study: str) -> None:
    text = tiny_study.replace("trials = ", "trials = 9999999")
    with pytest.raises(ConfigurationError, match=r"`budget.trials` must be at most 1000000, but got 9999999"):
        parse_study_spec(text)


def test_the_python_interface_has_them_too(tiny_study: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="`seeds` must be 1 to 1,000, but got 999,999,999"):
        seeds_for(parse_study_spec(tiny_study), 999_999_999)
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_study)
    with pytest.raises(ConfigurationError, match="`workers` must be 0 to 512, but got 1,000,000"):
        api.run_study(str(path), home=str(tmp_path / "home"), workers=1_000_000)
    require("seeds", MOST_SEEDS, MOST_SEEDS)
    require("seeds", None, MOST_SEEDS)
