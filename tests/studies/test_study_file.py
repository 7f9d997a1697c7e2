"""What wrong study files get: every problem, at its key, with rule, values and remedy."""

import json
import os
import re
import tomllib
from contextlib import suppress
from pathlib import Path

import optuna
import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amnl_tune.errors import ConfigurationError
from amnl_tune.studies.optuna_parts import PRUNERS, SAMPLERS
from amnl_tune.studies.problems import StudyFileError
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import load_study_spec, parse_study_spec
from amnl_tune.training.config import RunConfig

TINY = Path(__file__).parent.parent / "tiny.toml"


def with_change(text: str, path: str, value: object) -> str:
    """The study file with one value set, or removed for None."""
    document = tomllib.loads(text)
    table = document
    *parents, last = path.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
    if value is None:
        table.pop(last)
    else:
        table[last] = value
    return tomli_w.dumps(document)


def problems(text: str) -> dict[str, str]:
    with pytest.raises(StudyFileError) as caught:
        parse_study_spec(text, name="tiny")
    return {problem.key: problem.message for problem in caught.value.problems}


WRONG: list[tuple[str, object, str, str]] = [
    ("space.learning_rate.high", 1e-5, "space.learning_rate.low", "must be below `high`, but got (low=0.0001, high=1e-05); swap them"),
    ("space.learning_rate.high", 1e-4, "space.learning_rate.low", "must be below `high`, but got (low=0.0001, high=0.0001); put a constant into `[fixed]`"),
    ("space.learning_rate.low", -1.0, "space.learning_rate.low", "must be positive with `log = true`, but got (low=-1.0, high=0.1)"),
    ("space.learning_rate.low", float("nan"), "space.learning_rate.low", "must be finite, but got NaN"),
    ("space.learning_rate.step", 0.1, "space.learning_rate.step", "cannot be used with `log = true`, but got step=0.1"),
    ("space.learning_rate.hihg", 1.0, "space.learning_rate.hihg", "is not a key of a study file; did you mean `high`?"),
    ("space.learning_rate.type", "flaot", "space.learning_rate.type", 'must be "float", "int" or "categorical", but got "flaot"; did you mean `float`?'),
    ("space.learning_rate.type", None, "space.learning_rate.type", 'must be given: "float", "int" or "categorical"'),
    ("space.learning_rate.low", None, "space.learning_rate.low", "must be given"),
    ("space.learning_rate.low", "small", "space.learning_rate.low", 'must be a number, but got "small"'),
    ("space.learning_rate.high", 100.0, "space.learning_rate.high", "must be at most 10.0, but got 100.0"),
    ("space.learning_rate", 0.1, "space.learning_rate", "must be a table, but got 0.1; a constant goes into `[fixed]`"),
    ("space.lerning_rate", {"type": "float", "low": 0.1, "high": 0.2}, "space.lerning_rate", "did you mean `learning_rate`?"),
    ("space.num_layers", {"type": "float", "low": 1.0, "high": 2.0}, "space.num_layers.type", 'must be "int" or "categorical", but got "float"'),
    ("space.num_layers", {"type": "int", "low": 1, "high": 4, "step": 2}, "space.num_layers.step", "must lead from `low` to `high` exactly, but got step=2, (low=1, high=4); use high=3"),
    ("space.num_layers", {"type": "int", "low": 1, "high": 4, "step": 0}, "space.num_layers.step", "must be positive, but got 0"),
    ("space.num_layers", {"type": "int", "low": 0, "high": 4}, "space.num_layers.low", "must be at least 1, but got 0"),
    ("space.loss", {"type": "categorical", "choices": ["fixed", "gabba"]}, "space.loss.choices", 'but got "gabba"; did you mean `gaba`?'),
    ("space.ewma", {"type": "categorical", "choices": [[[0.1]], [[0.2]]]}, "space.ewma.choices", "must be strings, numbers, booleans or lists of them, but got [[0.1]]: Optuna's storage keeps nothing else; put one value into `[fixed]`"),
    ("space.ewma", {"type": "categorical", "choices": [[], [0.1, 1.5]]}, "space.ewma.choices", "item 2 must be below 1.0, but got 1.5"),
    ("space.ewma", {"type": "float", "low": 0.1, "high": 0.2}, "space.ewma.type", 'must be "categorical", with lists as choices, but got "float"'),
    ("space.health_thresholds", {"type": "categorical", "choices": [[20.0, 70.0], [30.0, 80.0]]}, "space.health_thresholds", "cannot be searched: it decides what is measured, not how well; set `fixed.health_thresholds`"),
    ("space.batch_size.choices", [16, 16, 32], "space.batch_size.choices", "must differ, but got [16, 16, 32]"),
    ("space.batch_size.choices", [32], "space.batch_size.choices", "must be two or more, but got [32]; put a constant into `[fixed]`"),
    ("space.batch_size.choices", [16, -1, 32], "space.batch_size.choices", "must be at least 1, but got -1"),
    ("space.batch_size.choices", [16, "32"], "space.batch_size.choices", 'must be an integer, but got "32"'),
    ("space.batch_size.choices", [16, 64], "incumbent.batch_size", "must be a value of `space.batch_size`, but got 32; add it to [16, 64]"),
    ("incumbent.batch_size", None, "space.batch_size", "must hold 256, the published default for SIM1, which is a trial of every study, but does not; add it to [16, 32], or set `incumbent.batch_size`"),
    ("incumbent.batch_size", "32", "incumbent.batch_size", 'must be an integer, but got "32"'),
    ("space.split_seed", {"type": "int", "low": 1, "high": 9}, "space.split_seed", "it decides what is measured, not how well; set `data.split_seed`"),
    ("space.epochs", {"type": "int", "low": 1, "high": 9}, "space.epochs", "set `trial.epochs`"),
    ("space.dropout", {"type": "float", "low": 0.0, "high": 0.4, "when": {"batch_siz": [16]}}, "space.dropout.when.batch_siz", "must name an entry of `[space]` or a key of `[fixed]`; did you mean `batch_size`?"),
    ("space.dropout", {"type": "float", "low": 0.0, "high": 0.4, "when": {"batch_size": [64]}}, "space.dropout.when.batch_size", "must list choices of `space.batch_size`, [16, 32], but got [64]"),
    ("space.dropout", {"type": "float", "low": 0.0, "high": 0.4, "when": {"learning_rate": [0.1]}}, "space.dropout.when.learning_rate", "must name a categorical or an int entry"),
    ("space.dropout", {"type": "float", "low": 0.0, "high": 0.4, "when": {"num_heads": [4]}}, "space.dropout.when.num_heads", "must list 2, but got [4]: `fixed.num_heads` is 2, so `space.dropout` would never be asked"),
    ("space.dropout", {"type": "float", "low": 0.0, "high": 0.4, "when": {"batch_size": [[16]]}}, "space.dropout.when.batch_size", "must list strings, numbers or booleans"),
    ("space", {}, "space", "must have an entry, but is empty; add [space.learning_rate]"),
    ("space", None, "space", "must be given"),
    ("budget.trials", 0, "budget.trials", "must be at least 1, but got 0"),
    ("budget.trials", "12", "budget.trials", 'must be an integer, but got "12"'),
    ("budget.trials", 1.5, "budget.trials", "must be an integer, but got 1.5"),
    ("budget.trails", 5, "budget.trails", "did you mean `trials`?"),
    ("budget", {}, "budget.trials", "must be given, e.g. `trials = 50`"),
    ("budget", 5, "budget", "must be a table, but got 5"),
    ("budget.wall_time", "soon", "budget.wall_time", '"90m"'),
    ("budget.epochs", 2, "budget.epochs", "must allow one trial, but got 2 for trials of 3 epochs"),
    ("trial.horizon", 2, "trial.horizon", "must be at least `trial.epochs`, but got (horizon=2, epochs=3)"),
    ("trial.horizon", 3, "trial.horizon", "must be at least `promotion.epochs`, but got (horizon=3, epochs=4)"),
    ("promotion.horizon", 3, "promotion.horizon", "must be at least `promotion.epochs`, but got (horizon=3, epochs=4); raise it"),
    ("promotion.horizon", 0, "promotion.horizon", "must be at least 1, but got 0"),
    ("promotion.overrides", {"horizon": 9}, "promotion.overrides.horizon", "is not set here; move it to `promotion.horizon`"),
    ("trial.learning_rate", 0.1, "trial.learning_rate", "did you mean `fixed.learning_rate`?"),
    ("trials", 50, "trials", "did you mean `budget.trials`?"),
    ("sampler.name", "TPESampler2", "sampler.name", "did you mean `TPESampler`?"),
    ("sampler.seed", 1, "sampler.seed", "cannot be set: it is derived from the study's `seed`"),
    ("sampler", {"name": "TPESampler", "gamma": 1}, "sampler.gamma", "is a Python object"),
    ("sampler", {"name": "TPESampler", "n_startup_trials": "ten"}, "sampler.n_startup_trials", 'must be int, but got "ten"'),
    ("sampler", {"name": "TPESampler", "consider_prior": True}, "sampler.consider_prior", "is refused by Optuna: `consider_prior` has been deprecated"),
    ("sampler.n_startup_trials", 3, "sampler.n_startup_trials", "is not an option of RandomSampler; it has none"),
    ("pruner.min_resorce", 2, "pruner.min_resorce", "is not an option of NopPruner"),
    ("pruner", {"min_resorce": 2}, "pruner.min_resorce", "is not an option of SuccessiveHalvingPruner; did you mean `min_resource`?"),
    ("pruner", {"reduction_factor": 1}, "pruner.reduction_factor", "is refused by Optuna"),
    ("pruner", {"min_resource": "auto"}, "pruner.min_resource", 'must be a number of epochs, but got "auto"'),
    ("pruner", {"name": "HyperbandPruner", "max_resource": "auto"}, "pruner.max_resource", "each worker would settle"),
    ("pruner", {"name": "HyperbandPruner"}, "pruner.max_resource", "must be given for HyperbandPruner"),
    ("pruner", {"name": "PercentilePruner"}, "pruner.percentile", "must be given for PercentilePruner"),
    ("pruner", {"name": "MedianPruner", "n_warmup_steps": True}, "pruner.n_warmup_steps", "must be int, but got true"),
    ("pruner.name", "WilcoxonPruner", "pruner.name", "compares folds of a cross-validation, not learning curves"),
    ("pruner.name", 3, "pruner.name", "must be a string, but got 3"),
    ("lr_range_test.end_lr", 1e-8, "lr_range_test.end_lr", "must be above `start_lr`, but got (start_lr=1e-07, end_lr=1e-08)"),
    ("lr_range_test.suggestion", "vally", "lr_range_test.suggestion", "did you mean `valley`?"),
    ("lr_range_test.enabled", "no", "lr_range_test.enabled", 'must be true or false, but got "no"'),
    ("fixed.dropout", "none", "fixed.dropout", 'must be a number, but got "none"'),
    ("space.patience", {"type": "categorical", "choices": [5, "none"]}, "space.patience.choices", 'cannot be "none": put it into `fixed.patience`'),
    ("fixed.droput", 0.1, "fixed.droput", "is not a setting of a run; did you mean `dropout`?"),
    ("fixed.batch_size", 8, "fixed.batch_size", "is searched too; keep it or `space.batch_size`, not both"),
    ("fixed.seed", 8, "fixed.seed", "is not set here; move it to `seed`"),
    ("fixed.dropout", 2.0, "fixed.dropout", "must be below 1.0, but got 2.0"),
    ("fixed.dropout", "0.2", "fixed.dropout", 'must be a number, but got "0.2"'),
    ("fixed.conv_channels", [4, "a"], "fixed.conv_channels", 'item 2 must be an integer, but got "a"'),
    ("fixed.num_heads", 3, "incumbent", "must fit together: `num_heads` must divide"),
    ("incumbent.dropout", 0.1, "incumbent.dropout", "must be searched, but `[space]` has no such entry; put it into `fixed.dropout`"),
    ("promotion.seeds", [1, 1], "promotion.seeds", "must be one or more different numbers, but got [1, 1]"),
    ("promotion.seeds", [-1], "promotion.seeds.0", "must be at least 0, but got -1"),
    ("promotion.overrides", {"strid": 1}, "promotion.overrides.strid", "did you mean `stride`?"),
    ("promotion.overrides", {"window": 1}, "promotion.overrides.window", "must be at least 2, but got 1"),
    ("promotion.overrides", {"patience": 1}, "promotion.overrides.patience", "move it to `promotion.patience`"),
    ("promotion.overrides", {"accumulation_steps": 32}, "promotion.overrides", "must fit every trial, but not batch_size=16"),
    ("hardware.device", "gpu", "hardware.device", 'must be "auto", "cpu", "mps", "cuda" or "cuda:1", but got "gpu"'),
    ("data.dataset", None, "data.dataset", 'must be given, e.g. `dataset = "FD001"`'),
    ("data.dataset", "FD 001", "data.dataset", "must match"),
    ("data.fallback", "SIM2", "data.fallback", "must be 'SIM1' or 'SIM6'"),
    ("questoin", "?", "questoin", "did you mean `question`?"),
    ("objective.metric", "test_rmse", "objective.metric", "must be 'validation_rmse'"),
    ("name", "a b", "name", 'must match ^[A-Za-z0-9][A-Za-z0-9_.-]*$, but got "a b"'),
    ("seed", -1, "seed", "must be at least 0, but got -1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "key", "message"), WRONG, ids=[f"{path}={value}"[:50] for path, value, *_ in WRONG]
)
def test_one_mistake_is_one_problem_at_its_key(
    path: str, value: object, key: str, message: str, tiny_study: str
) -> None:
    found = problems(with_change(tiny_study, path, value))
    assert list(found) == [key]
    assert message in found[key]


def test_every_value_must_fit_what_is_fixed(tiny_study: str) -> None:
    text = with_change(with_change(tiny_study, "fixed.num_heads", 4), "space.hidden_size.choices", [2, 3, 4])
    message = problems(text)["space.hidden_size"]
    assert "must fit the other settings at every value, but 3 does not: `num_heads` must divide" in message


def test_values_of_two_entries_must_fit(tiny_study: str) -> None:
    text = with_change(tiny_study, "space.num_heads", {"type": "categorical", "choices": [2, 8]})
    text = with_change(with_change(text, "fixed.num_heads", None), "incumbent.num_heads", 2)
    message = problems(text)["space.num_heads"]
    assert "must fit `space.hidden_size` at every value, but does not: `num_heads` must divide" in message
    parse_study_spec(with_change(text, "space.num_heads.when", {"hidden_size": [4]}))  # 8 heads meet width 4 only


def test_the_fallback_s_published_defaults_must_be_in_the_space_too(tiny_study: str) -> None:
    text = with_change(tiny_study, "space.dropout", {"type": "float", "low": 0.25, "high": 0.5})
    parse_study_spec(with_change(text, "data.fallback", "SIM1"))
    assert (
        "must hold 0.2, the published default for SIM6"
        in problems(with_change(text, "data.fallback", "SIM6"))["space.dropout"]
    )


def test_conditions_must_not_form_a_circle(tiny_study: str) -> None:
    text = with_change(tiny_study, "space.batch_size.when", {"hidden_size": [2]})
    text = with_change(text, "space.hidden_size.when", {"batch_size": [16]})
    assert "batch_size, hidden_size; drop one `when`" in problems(text)["space.batch_size.when"]


@pytest.mark.parametrize(
    ("trial", "promotion", "said"),
    [
        ((4, 100), (70, None), {}),
        ((70, 100), (70, 100), {}),
        ((4, None), (70, 100), {}),
        ((4, None), (100, 70), {"promotion.horizon": "must be at least `promotion.epochs`"}),
        ((4, 100), (70, 90), {"promotion.horizon": "must equal `trial.horizon`"}),
        ((4, 60), (70, None), {"trial.horizon": "must be at least `promotion.epochs`"}),
        ((80, 100), (70, None), {"promotion.epochs": "must be at least `trial.epochs` under a horizon"}),
    ],
)
def test_a_schedule_may_span_more_epochs_than_are_trained(
    trial: tuple[int, int | None], promotion: tuple[int, int | None], said: dict[str, str], tiny_study: str
) -> None:
    text = tiny_study
    for table, (epochs, horizon) in (("trial", trial), ("promotion", promotion)):
        text = with_change(text, f"{table}.epochs", epochs)
        text = with_change(text, f"{table}.horizon", horizon) if horizon else text
    if said:
        found = problems(text)
        assert list(found) == list(said)
        assert all(words in found[key] for key, words in said.items())
        return
    spec = parse_study_spec(text)
    full = spec.promotion_config(spec.run_config(spec.incumbent_parameters()), 42)
    assert (full.epochs, full.horizon, full.schedule_epochs) == (70, 100, 100)


def test_all_problems_are_listed_at_once(tiny_study: str) -> None:
    text = tiny_study
    for path, value in (
        ("space.learning_rate.high", 1e-9),
        ("budget.trials", "many"),
        ("fixed.droput", 0.5),
        ("pruner.name", "MedainPruner"),
        ("space.batch_size.choices", [16, 0]),
        ("promotion.overrides", {"window": 1}),
        ("incumbent.hidden_size", 8),
        ("trial.horizon", 1),
    ):
        text = with_change(text, path, value)
    with pytest.raises(StudyFileError, match=r"tiny\.toml has 8 problems:\n  `") as caught:
        parse_study_spec(text, origin="tiny.toml")
    assert {problem.key for problem in caught.value.problems} == {
        "space.learning_rate.low", "budget.trials", "fixed.droput", "pruner.name", "space.batch_size.choices",
        "promotion.overrides.window", "incumbent.hidden_size", "trial.horizon",
    }  # fmt: skip


def test_several_mistakes_in_one_entry(tiny_study: str) -> None:
    text = with_change(
        tiny_study, "space.learning_rate", {"type": "float", "low": 0.0, "high": -1.0, "log": True, "lg": 1}
    )
    assert set(problems(text)) == {"space.learning_rate.lg", "space.learning_rate.low"}


def test_an_empty_file_is_told_all_it_needs() -> None:
    assert list(problems("")) == ["data", "budget", "space"]


def test_a_wrong_entry_is_not_also_called_unknown(tiny_study: str) -> None:
    text = with_change(tiny_study, "space.batch_size.choices", [16])
    text = with_change(text, "space.hidden_size.when", {"batch_size": [16]})
    assert list(problems(text)) == ["space.batch_size.choices"]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.just([]), st.just({}), st.just([[1]]),
    st.dictionaries(st.sampled_from(["type", "low", "trials", "a b"]), st.integers() | st.text(max_size=2), max_size=2),
)  # fmt: skip


@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(
                ["name", "seed", "question", "data", "data.dataset", "budget", "budget.wall_time", "objective", "trial",
                 "trial.horizon", "sampler", "sampler.name", "pruner", "pruner.x", "lr_range_test", "fixed", "fixed.loss",
                 "fixed.fc_sizes", "incumbent", "incumbent.batch_size", "space", "space.loss", "space.batch_size.type",
                 "space.batch_size.choices", "space.batch_size.when", "space.learning_rate.low", "promotion",
                 "promotion.seeds", "promotion.overrides", "hardware", "hardware.device", "nothing"]
            ),
            VALUES,
        ),
        max_size=4,
    )
)  # fmt: skip
@settings(max_examples=150, deadline=None)
@example(changes=[("promotion.seeds", [[1]]), ("promotion.overrides", [])])
def test_whatever_the_file_says_it_is_read_or_refused(changes: list[tuple[str, object]]) -> None:
    text = TINY.read_text()
    for path, value in changes:
        with suppress(AttributeError, KeyError, TypeError):  # a table is gone already
            text = with_change(text, path, value)
    with suppress(StudyFileError):
        assert parse_study_spec(text).name


@pytest.mark.parametrize("value", ["a\nb\x1b[31m", "9" * 3_000, "9" * 3_000 + "x"])
@pytest.mark.parametrize("path", ["hardware.device", "hardware.outage", "budget.wall_time", "space.batch_size.choices"])
def test_a_refused_value_is_shown_in_part_and_in_one_line(path: str, value: str, tiny_study: str) -> None:
    given = [value, {"a": value}] if path.endswith("choices") else value
    with pytest.raises(StudyFileError) as caught:
        parse_study_spec(with_change(tiny_study, path, given))
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_a_key_that_a_terminal_would_obey_is_escaped(tiny_study: str) -> None:
    with pytest.raises(StudyFileError) as caught:
        parse_study_spec('"a\\nb\\u001b[31m" = 1\n' + tiny_study)
    assert r"`a\nb\x1b[31m` is not a key" in str(caught.value)


def test_one_problem_is_one_line(tiny_study: str) -> None:
    with pytest.raises(StudyFileError) as caught:
        parse_study_spec(with_change(tiny_study, "budget.trails", 5), origin="tiny.toml")
    assert str(caught.value) == "tiny.toml: `budget.trails` is not a key of a study file; did you mean `trials`?"


def test_what_is_no_toml_is_told_where(tiny_study: str) -> None:
    with pytest.raises(StudyFileError, match=r"must be TOML, but: .*line 3"):
        parse_study_spec("[data]\ndataset = 'FD001'\nwhat is this\n")


def test_missing_and_unreadable_files(tmp_path: Path, tiny_study: str) -> None:
    (tmp_path / "fd001.toml").write_text(tiny_study)
    with pytest.raises(ConfigurationError, match=r"there is no .*fd01\.toml; did you mean .*fd001\.toml\?"):
        load_study_spec(tmp_path / "fd01.toml")
    with pytest.raises(ConfigurationError, match="is not: Is a directory"):
        load_study_spec(tmp_path)
    (tmp_path / "latin.toml").write_bytes("question = 'Größe'".encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"must be UTF-8 text, but .*latin\.toml has byte 0xf6 in line 1"):
        load_study_spec(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"seed2 = " + b"9" * 5_000, "must be TOML, but: it has an integer beyond 64 bits"),
        (b"seed2 = 9223372036854775808", "must be TOML, but: it has an integer beyond 64 bits"),
        (b"seed2 = 0x" + b"f" * 5_000, "must be TOML, but: it has an integer beyond 64 bits"),
        (b"deep = " + b"[" * 500 + b"]" * 500, "must be TOML, but: it is nested deeper than 32 levels"),
        (b"deep = " + b"[" * 40 + b"]" * 40, "must be TOML, but: it is nested deeper than 32 levels"),
        (b"deep = " + b"{a = " * 500, "must be TOML, but: it is nested deeper than 32 levels"),
        (b".".join([b"a"] * 600) + b" = 1", "must be TOML, but: it has a key of more than 32 parts"),
        (b'"a b" . ' * 600 + b"c = 1", "must be TOML, but: it has a key of more than 32 parts"),
        (b"[" + b".".join([b"a"] * 600) + b"]", "must be TOML, but: it has a key of more than 32 parts"),
        (b'name2 = "a\0"', "must be TOML, but: Illegal character"),
        (b"x" * 100_000 + b" = 1", "x...` is not a key of a study file"),
        (b'question = "' + b"x" * 2**20 + b'"', "bytes, more than 1,048,576; name a file"),
    ],
)
def test_texts_that_no_editor_writes(line: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(line + b"\n" + TINY.read_bytes())
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        load_study_spec(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("value", ['"x"', "3", "[]", "true", "[{}]"])
@pytest.mark.parametrize("table", ["space", "data", "budget", "promotion"])
def test_a_value_where_a_table_belongs(table: str, value: str, tiny_study: str) -> None:
    tables = tomllib.loads(tiny_study)
    tables.pop(table, None)
    text = f"{table} = {value}\n" + tomli_w.dumps(tables)
    assert problems(text)[table].startswith("must be a table, but got ")


def test_as_text_with_marks_and_line_ends_of_other_editors(tmp_path: Path, tiny_study: str) -> None:
    path, read = tmp_path / "a.toml", parse_study_spec(tiny_study, name="a")
    for content in (b"\xef\xbb\xbf" + tiny_study.encode(), tiny_study.replace("\n", "\r\n").encode()):
        path.write_bytes(content)
        assert load_study_spec(str(path)) == read
    path.write_bytes(tiny_study.encode("utf-16"))
    with pytest.raises(ConfigurationError, match=r"a\.toml has the mark of UTF-16; save it as UTF-8"):
        load_study_spec(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    for path in (tmp_path / "pipe.toml", Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match="is not: it is a link, a pipe or a device, not a file"):
            load_study_spec(path)
    with pytest.raises(ConfigurationError, match="File name too long"):
        load_study_spec(tmp_path / ("x" * 300))


def test_of_very_many_problems_the_first_are_told() -> None:
    with pytest.raises(StudyFileError, match="has 203 problems") as caught:
        parse_study_spec("\n".join(f"k{number} = 1" for number in range(200)))
    assert str(caught.value).endswith("\n  and 153 more")
    assert len(caught.value.problems) == 203


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(where=st.floats(0, 1), new=st.sampled_from(["", "[", "]", "{", '"', "'", "=", ".", "#", "\\", "\0", "9", "\n", "e"]),
       gone=st.sampled_from([0, 1, 2, 30, 10_000]))  # fmt: skip
def test_a_damaged_file_is_read_or_refused(where: float, new: str, gone: int) -> None:
    text = TINY.read_text()
    place = int(where * len(text))
    try:
        assert parse_study_spec(text[:place] + new + text[place + gone :]).name
    except StudyFileError as error:
        assert all(len(line) < 1_000 for line in str(error).splitlines())


def test_a_file_s_own_name_may_be_no_study_name(tmp_path: Path, tiny_study: str) -> None:
    path = tmp_path / "my study.toml"
    path.write_text(tiny_study)
    with pytest.raises(StudyFileError, match=r'`name` must be given, because .* no study name, "my study"'):
        load_study_spec(path)


def test_a_near_name_is_looked_for_in_studies_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "fd001.toml").touch()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"there is no fd01; did you mean studies/fd001\.toml\?"):
        load_study_spec(Path("fd01"))
    with pytest.raises(ConfigurationError, match=r"there is no other\.toml; there are: studies/fd001\.toml$"):
        load_study_spec(Path("other.toml"))


def test_the_name_is_the_file_s_unless_it_says_otherwise(tmp_path: Path, tiny_study: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(tiny_study)
    assert load_study_spec(path).name == "mine"
    path.write_text('name = "other"\n' + tiny_study)
    assert load_study_spec(path).name == "other"


@pytest.mark.parametrize(
    ("given_time", "seconds"), [(90, 90.0), ("45s", 45.0), ("90m", 5400.0), ("1.5 h", 5400.0), ("2d", 172_800.0)]
)
def test_wall_time_in_words(given_time: object, seconds: float, tiny_study: str) -> None:
    assert parse_study_spec(with_change(tiny_study, "budget.wall_time", given_time)).budget.wall_time == seconds


@given(
    low=st.floats(1e-6, 1e-3),
    factor=st.floats(1.5, 1e3),
    trials=st.integers(1, 10_000),
    seeds=st.lists(st.integers(0, 10**6), min_size=1, max_size=5, unique=True),
)
def test_a_spec_survives_the_database_exactly(low: float, factor: float, trials: int, seeds: list[int]) -> None:
    text = TINY.read_text()
    for path, value in (
        ("space.learning_rate.low", low),
        ("space.learning_rate.high", low * factor),
        ("incumbent.learning_rate", low),
        ("budget.trials", trials),
        ("promotion.seeds", seeds),
    ):
        text = with_change(text, path, value)
    spec = parse_study_spec(text)
    again = StudySpec.from_json(spec.to_json())
    assert again == spec
    assert again.fingerprint() == spec.fingerprint()
    stored = {key: value for key, value in spec.model_dump(mode="json", exclude_none=True).items() if value}
    assert parse_study_spec(tomli_w.dumps(stored)) == spec  # what is stored is a study file, too


FREE = [
    ("budget.trials", 9),
    ("question", "?"),
    ("hardware.workers", 7),
    ("promotion.top_k", 2),
    ("trial.checkpoint_every", 9),
    ("data.fallback", "SIM1"),
]
FROZEN = [
    ("seed", 8),
    ("trial.epochs", 4),
    ("pruner", {"name": "ThresholdPruner", "upper": 1.0}),
    ("fixed.stride", 4),
    ("data.split_seed", 1),
]


@pytest.mark.parametrize(("path", "value"), FREE)
def test_what_decides_no_trial_may_change(path: str, value: object, tiny_study: str) -> None:
    changed = parse_study_spec(with_change(tiny_study, path, value))
    assert changed.fingerprint() == parse_study_spec(tiny_study).fingerprint()


@pytest.mark.parametrize(("path", "value"), FROZEN)
def test_what_decides_a_trial_may_not(path: str, value: object, tiny_study: str) -> None:
    before, changed = parse_study_spec(tiny_study), parse_study_spec(with_change(tiny_study, path, value))
    assert changed.fingerprint() != before.fingerprint()
    changes = changed.changed_keys(before.frozen_content())
    assert changes
    assert all(change.startswith(path) and " was " in change for change in changes)


def test_changes_are_told_with_both_values(tiny_study: str) -> None:
    before = parse_study_spec(with_change(tiny_study, "data.conditions", 1))
    text = with_change(with_change(tiny_study, "space.batch_size.choices", [32, 16]), "fixed.stride", None)
    text = with_change(with_change(text, "fixed.clip", 0.5), "trial.horizon", 4)
    assert parse_study_spec(text).changed_keys(before.frozen_content()) == [
        "data.conditions was 1, is 0",
        "fixed.clip was (absent), is 0.5",
        "fixed.stride was 8, is (absent)",
        "space.batch_size.choices was [16, 32], is [32, 16]",
        "trial.horizon was (absent), is 4",
    ]


@pytest.mark.parametrize(("path", "value"), [("fixed.clip", 1), ("pruner", {"name": "NopPruner"}), ("space", ...)])
def test_the_same_question_written_differently_is_the_same(path: str, value: object, tiny_study: str) -> None:
    text = with_change(tiny_study, "fixed.clip", 1.0)
    if value is ...:  # the entries in another order
        space = tomllib.loads(text)["space"]
        value = dict(reversed(space.items()))
    other = parse_study_spec(with_change(text, path, value))
    assert other.fingerprint() == parse_study_spec(text).fingerprint()
    assert other.space.names == parse_study_spec(text).space.names


@pytest.mark.parametrize(
    ("entry", "bounds"),
    [
        ({"type": "float", "low": 1e-4, "high": 1e-1, "log": True}, (1e-4, 1e-1)),
        ({"type": "float", "low": 0.0005, "high": 0.0105, "step": 0.0005}, None),
        ({"type": "categorical", "choices": [1e-3, 1e-2]}, None),
        ({"type": "float", "low": 1e-4, "high": 1e-1, "when": {"batch_size": [16]}}, None),
    ],
)
def test_a_prior_needs_an_interval_around_the_incumbent(entry: object, bounds: object, tiny_study: str) -> None:
    spec = parse_study_spec(with_change(tiny_study, "space.learning_rate", entry))
    assert spec.learning_rate_bounds() == bounds


def test_the_incumbent_is_in_the_space_s_own_terms(tiny_study: str) -> None:
    text = with_change(tiny_study, "space.clip", {"type": "int", "low": 1, "high": 5})
    parameters = parse_study_spec(text).incumbent_parameters()
    assert parameters == {"batch_size": 32, "clip": 1, "hidden_size": 4, "learning_rate": 0.001}
    assert type(parameters["clip"]) is int


def test_a_condition_that_does_not_hold_leaves_the_parameter_out(tiny_study: str) -> None:
    text = with_change(
        tiny_study, "space.dropout", {"type": "float", "low": 0.4, "high": 0.5, "when": {"batch_size": [16]}}
    )
    assert "dropout" not in parse_study_spec(text).incumbent_parameters()


def test_sampled_fixed_and_published_values_meet_in_one_place(spec: StudySpec) -> None:
    config = spec.run_config({"learning_rate": 0.01, "batch_size": 16, "hidden_size": 2})
    assert (config.learning_rate, config.batch_size, config.hidden_size) == (0.01, 16, 2)
    assert (config.window, config.stride, config.epochs, config.seed) == (20, 8, 3, 7)
    assert (config.dropout, config.weight_decay) == (0.3, 1e-4)
    assert (config.dataset, config.validation_truncations) == ("SIM1", 4)


def test_a_promotion_runs_the_trial_at_full_length(spec: StudySpec) -> None:
    trial = spec.run_config(spec.incumbent_parameters())
    full = spec.promotion_config(trial, 123)
    assert (full.epochs, full.seed, full.patience, full.schedule) == (4, 123, None, "four_phase")
    same = {"epochs", "seed", "patience"}
    assert full.model_dump(exclude=same) == trial.model_dump(exclude=same)


def test_without_early_stopping_may_be_said(tiny_study: str) -> None:
    said = parse_study_spec(tiny_study.replace("[promotion]\n", '[promotion]\npatience = "none"\n'), name="tiny")
    assert said == parse_study_spec(tiny_study, name="tiny")


def test_another_data_set_is_another_study(spec: StudySpec) -> None:
    other = spec.with_dataset("SIM6")
    assert (other.name, other.data.dataset) == ("tiny-SIM6", "SIM6")
    assert other.fingerprint() != spec.fingerprint()


SHIPPED = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))


SHORTER = {"quickstart": 16, "narrow_fd001_first": 20, **{f"narrow_fd00{number}": 20 for number in range(1, 5)}}
"""Epochs of promoted runs: with history a narrow network is at its best long before 100."""


def test_the_first_stage_searches_what_matters_most_and_hands_it_on() -> None:
    first, second = (load_study_spec(SHIPPED[0].parent / f"narrow_fd001{stage}.toml") for stage in ("_first", ""))
    assert set(first.space.names) == {"learning_rate", "batch_size"}
    assert not first.promotion.enabled
    told = {name: value for name, value in first.run_config(first.incumbent).plain().items() if name not in first.space}
    same = second.run_config(second.incumbent).plain()
    assert told == {name: same[name] for name in told}


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_studies(path: Path) -> None:
    spec = load_study_spec(path)
    assert (spec.trial.epochs, spec.promotion.epochs) == (
        12 if path.stem in SHORTER else 20,
        SHORTER.get(path.stem, 100),
    )
    assert spec.promotion.patience
    if path.stem not in SHORTER:
        full = spec.promotion_config(spec.run_config(spec.incumbent_parameters()), 42)
        assert (full.patience, full.min_delta) == (15, 0.001)
    if path.stem in SHORTER:
        config = spec.run_config(spec.incumbent_parameters())
        assert config.needs_whole_record
        assert spec.promotion.incumbents == ("published", "boosting")
    if path.stem != "quickstart":
        assert spec.data.dataset == path.stem.removeprefix("narrow_").split("_")[0].upper()
    rates = spec.learning_rate_bounds()
    assert rates is not None
    assert rates[0] < 1e-3
    assert rates[1] > 3e-3
    if path.stem.startswith("narrow_"):
        assert (spec.fixed["hidden_size"], spec.promotion.seeds) == (32, (42, 123, 456))
    elif path.stem != "quickstart":
        incumbent = spec.run_config(spec.incumbent_parameters())
        assert incumbent == RunConfig.build(RunConfig(dataset=spec.data.dataset, dropout=incumbent.dropout).plain())
        assert set(spec.space.names) == {
            "learning_rate", "batch_size", "dropout", "weight_decay", "hidden_size", "loss", "task_weight", "clip",
            "ema_decay", "window",
        }  # fmt: skip
        assert spec.promotion.seeds == (42, 123, 456, 789, 1024)


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_whatever_a_shipped_study_samples_is_a_run(path: Path) -> None:
    spec = load_study_spec(path)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(50):
        trial = study.ask()
        config = spec.run_config(spec.space.ask(trial, spec.settled()))
        assert spec.promotion_config(config, 1).epochs == SHORTER.get(path.stem, 100)


def test_the_shipped_studies_are_the_ones_that_the_readme_names() -> None:
    full = ["fd001", "fd002", "fd003", "fd004"]
    narrow = [f"narrow_{name}{kind}" for name in full for kind in ("", "_window")]
    assert [path.stem for path in SHIPPED] == sorted([*full, *narrow, "narrow_fd001_first", "quickstart"])


README = Path(__file__).parents[2] / "studies" / "README.md"


def test_the_grammar_names_every_key() -> None:
    text = README.read_text(encoding="utf-8")
    tables = {name: field.annotation for name, field in StudySpec.model_fields.items()}
    keys = [f"`{name}`" for name in tables if name not in {"space", "fixed", "incumbent"}]
    for name, table in tables.items():
        if isinstance(table, type) and hasattr(table, "model_fields") and name != "space":
            keys += [f"`{field.alias or key}`" for key, field in table.model_fields.items()]
    keys += [f"`{name}`" for name in (*RunConfig.model_fields, "type", "low", "high", "log", "step", "choices", "when")]
    keys += [f"`{name}`" for name in (*SAMPLERS, *PRUNERS)]
    assert [key for key in keys if key not in text and key.strip("`") not in StudySpec.model_fields] == []
    assert [table for table in tables if f"`{table}`" not in text and f"[{table}" not in text] == []


def test_the_grammar_s_defaults_are_the_code_s() -> None:
    compared = 0
    for section in README.read_text(encoding="utf-8").split("\n### ")[1:]:
        heading = re.match(r"`\[(\w+)\]`", section)
        table = StudySpec.model_fields[heading[1]].annotation if heading else StudySpec
        fields = getattr(table, "model_fields", {}) or RunConfig.model_fields
        fields = {field.alias or name: field for name, field in fields.items()}
        for key, default in re.findall(r"^\| `(\w+)` \| [^|]+ \| `([^`]+)`", section, flags=re.MULTILINE):
            if key in fields:
                expected = json.loads(json.dumps(fields[key].get_default(call_default_factory=True)))
                assert tomllib.loads(f"x = {default}")["x"] == expected, key
                compared += 1
    assert compared > 50


def test_the_grammar_s_example_is_a_study() -> None:
    example = re.search(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert example
    spec = parse_study_spec(example[1])
    assert spec.incumbent_parameters()["batch_size"] == 128


@pytest.mark.parametrize(
    ("line", "incumbents"),
    [
        ("", ("published", "boosting")),
        ("incumbent = true", ("published", "boosting")),
        ("incumbent = false", ("boosting",)),
        ("incumbents = []", ()),
        ('incumbents = ["boosting", "published"]', ("boosting", "published")),
        ('incumbents = ["published"]', ("published",)),
    ],
)
def test_what_must_be_beaten_is_read_in_its_old_form_too(
    line: str, incumbents: tuple[str, ...], tiny_study: str
) -> None:
    spec = parse_study_spec(tiny_study.replace("[promotion]", f"[promotion]\n{line}"))
    assert spec.promotion.incumbents == incumbents
    assert spec.promotion.incumbent == ("published" in incumbents)
    assert StudySpec.from_json(spec.to_json()) == spec
    assert spec.fingerprint() == parse_study_spec(tiny_study).fingerprint()
    stored = json.loads(spec.to_json())  # by version 0.1
    del stored["promotion"]["incumbents"]
    old = StudySpec.from_json(json.dumps(stored | {"promotion": stored["promotion"] | {"incumbent": False}}))
    assert old.promotion.incumbents == ("boosting",)
    assert "incumbent" not in json.loads(old.to_json())["promotion"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('incumbents = ["boostin"]', "`promotion.incumbents.0` must be 'published' or 'boosting', but got \"boostin\"; did you mean `boosting`?"),
        ('incumbents = ["boosting", "boosting"]', "`promotion.incumbents` must be different words, but got ['boosting', 'boosting']; name each once"),
        ("incumbent = 1", "`promotion.incumbent` must be true or false, but got 1"),
        ('incumbent = true\nincumbents = ["boosting"]', "`promotion.incumbent` is the old form of `promotion.incumbents`, but both are given; leave `incumbent` out"),
    ],
)  # fmt: skip
def test_wrong_incumbents_are_told(lines: str, told: str, tiny_study: str) -> None:
    with pytest.raises(StudyFileError) as refused:
        parse_study_spec(tiny_study.replace("[promotion]", f"[promotion]\n{lines}"))
    assert [str(problem) for problem in refused.value.problems] == [told]
