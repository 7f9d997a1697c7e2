"""What wrong study files get: every problem, at its key, with rule, values and remedy."""

import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from amnl_tune.errors import ConfigurationError
from amnl_tune.search.problems import StudyFileError
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.study_file import load_study_spec, parse_study_spec
from amnl_tune.training.config import RunConfig


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
    ("space.learning_rate.high", 1e-5, "space.learning_rate", "`low` must be below `high`, but got (low=0.0001, high=1e-05)"),
    ("space.learning_rate.low", -1.0, "space.learning_rate", "`low` must be positive with `log = true`"),
    ("space.learning_rate.step", 0.1, "space.learning_rate", "`step` and `log = true` exclude each other"),
    ("space.learning_rate.hihg", 1.0, "space.learning_rate.hihg", "is not a key of a study file; did you mean `high`?"),
    ("space.learning_rate.type", "flaot", "space.learning_rate.type", 'must be "float", "int" or "categorical", but got \'flaot\''),
    ("space.learning_rate.type", None, "space.learning_rate.type", 'must be given: "float", "int" or "categorical"'),
    ("space.learning_rate.low", "small", "space.learning_rate.low", "but got 'small'"),
    ("space.lerning_rate", {"type": "float", "low": 0.1, "high": 0.2}, "space.lerning_rate", "did you mean `learning_rate`?"),
    ("space.conv_channels", {"type": "categorical", "choices": [[4, 4]]}, "space.conv_channels.choices", "a choice must be a string, a number or a boolean, but got [4, 4]"),
    ("space.batch_size.choices", [16, 16, 32], "space.batch_size.choices", "choices must differ"),
    ("space.batch_size.choices", [16, -1, 32], "space.batch_size", "must hold valid values only, but -1 is not"),
    ("space.batch_size.choices", [16], "space.batch_size", "must hold the published default 32"),
    ("space.hidden_size.choices", [2, 3, 4], "space.num_heads", ""),
    ("space.split_seed", {"type": "int", "low": 1, "high": 9}, "space.split_seed", "belongs to the protocol"),
    ("space.dropout", {"type": "float", "low": 0.0, "high": 0.4, "when": {"los": ["fixed"]}}, "space.dropout.when.los", "did you mean `loss`?"),
    ("space.dropout", {"type": "float", "low": 0.0, "high": 0.4, "when": {"batch_size": [64]}}, "space.dropout.when.batch_size", "must list choices of `space.batch_size`, but got [64]"),
    ("space", {}, "space", "must have an entry, but is empty"),
    ("budget.trials", 0, "budget.trials", "greater than or equal to 1, but got 0"),
    ("budget.trails", 5, "budget.trails", "did you mean `trials`?"),
    ("budget", {}, "budget.trials", "must be given"),
    ("budget.wall_time", "soon", "budget.wall_time", '"90m"'),
    ("budget.epochs", 2, "budget.epochs", "must allow one trial, but got 2 for trials of 3 epochs"),
    ("trial.horizon", 2, "trial.horizon", "must be at least `trial.epochs`"),
    ("trial.horizon", 50, "trial.horizon", "must equal `promotion.epochs`, but got 50 and 4"),
    ("sampler.name", "TPESampler2", "sampler.name", "did you mean `TPESampler`?"),
    ("sampler.seed", 1, "sampler.seed", "cannot be set: it is derived from the study's `seed`"),
    ("pruner", {"name": "SuccessiveHalvingPruner", "min_resorce": 2}, "pruner.min_resorce", "is no option of SuccessiveHalvingPruner; did you mean `min_resource`?"),
    ("pruner", {"name": "SuccessiveHalvingPruner", "reduction_factor": 1}, "pruner", "is refused by Optuna"),
    ("pruner", {"name": "HyperbandPruner", "max_resource": "auto"}, "pruner.max_resource", '"auto" differs between workers'),
    ("pruner.name", "WilcoxonPruner", "pruner.name", "compares folds of a cross-validation, not learning curves"),
    ("lr_range_test.end_lr", 1e-7, "lr_range_test.end_lr", "must be above `start_lr`"),
    ("lr_range_test.suggestion", "vally", "lr_range_test.suggestion", "'valley'"),
    ("fixed.droput", 0.1, "fixed.droput", "is not a setting of a run; did you mean `dropout`?"),
    ("fixed.batch_size", 8, "fixed.batch_size", "is searched too"),
    ("fixed.seed", 8, "fixed.seed", "belongs to the protocol"),
    ("fixed.dropout", 2.0, "fixed", "`dropout`"),
    ("incumbent.dropout", 0.1, "incumbent.dropout", "must be searched, but is not; put it into [fixed]"),
    ("promotion.seeds", [1, 1], "promotion.seeds", "must be different numbers"),
    ("promotion.overrides", {"strid": 1}, "promotion.overrides.strid", "did you mean `stride`?"),
    ("promotion.overrides", {"window": 1}, "promotion", "`window`"),
    ("hardware.device", "gpu", "hardware.device", "but got 'gpu'"),
    ("data.dataset", None, "data.dataset", "must be given"),
    ("data.fallback", "SIM2", "data.fallback", "'SIM1' or 'SIM6'"),
    ("questoin", "?", "questoin", "did you mean `question`?"),
    ("objective.metric", "test_rmse", "objective.metric", "'validation_rmse'"),
    ("name", "a b", "name", "but got 'a b'"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "key", "message"), WRONG, ids=[f"{path}={value}"[:50] for path, value, *_ in WRONG]
)
def test_wrong_values(path: str, value: object, key: str, message: str, tiny_study: str) -> None:
    if key == "space.num_heads":  # heads that divide some widths only: reported for the pair
        text = with_change(tiny_study, "space.num_heads", {"type": "categorical", "choices": [2, 4]})
        text = with_change(with_change(text, "fixed.num_heads", None), path, value)
        text = with_change(text, "incumbent.num_heads", 2)
        assert "must fit every value of `space.hidden_size`" in problems(text)["space.num_heads"]
        return
    found = problems(with_change(tiny_study, path, value))
    assert message in found[key]


def test_conditions_must_not_form_a_circle(tiny_study: str) -> None:
    text = with_change(tiny_study, "space.batch_size.when", {"hidden_size": [2]})
    text = with_change(text, "space.hidden_size.when", {"batch_size": [16]})
    assert "must not form a circle" in problems(text)["space"]


def test_all_problems_are_listed_at_once(tiny_study: str) -> None:
    text = with_change(tiny_study, "space.learning_rate.high", 1e-9)
    text = with_change(text, "budget.trails", 5)
    text = with_change(text, "fixed.droput", 0.5)
    text = with_change(text, "pruner.name", "MedainPruner")
    assert set(problems(text)) == {"space.learning_rate", "budget.trails", "fixed.droput", "pruner.name"}
    with pytest.raises(StudyFileError, match=r"tiny\.toml has 4 problems:\n  `"):
        parse_study_spec(text, origin="tiny.toml")


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
    with pytest.raises(ConfigurationError, match="must be a readable TOML text"):
        load_study_spec(tmp_path / "latin.toml")


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
    text = Path(__file__).parent.parent.joinpath("tiny.toml").read_text()
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


FREE = [
    ("budget.trials", 9),
    ("question", "?"),
    ("hardware.workers", 7),
    ("promotion.top_k", 2),
    ("trial.checkpoint_every", 9),
]
FROZEN = [
    ("seed", 8),
    ("trial.epochs", 4),
    ("pruner.name", "MedianPruner"),
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
    (change,) = changed.changed_keys(before.frozen_content())
    assert change.startswith(f"{path} was ")


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


def test_another_data_set_is_another_study(spec: StudySpec) -> None:
    other = spec.with_dataset("SIM6")
    assert (other.name, other.data.dataset) == ("tiny-SIM6", "SIM6")
    assert other.fingerprint() != spec.fingerprint()


SHIPPED = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_shipped_studies(path: Path) -> None:
    spec = load_study_spec(path)
    assert spec.trial.epochs == 20
    assert spec.promotion.epochs == 100
    if path.stem != "quickstart":
        assert spec.data.dataset == path.stem.upper()
        incumbent = spec.run_config(spec.incumbent_parameters())
        assert incumbent == RunConfig.build(RunConfig(dataset=spec.data.dataset, dropout=incumbent.dropout).plain())
        assert set(spec.space.names) == {
            "learning_rate", "batch_size", "dropout", "weight_decay", "hidden_size", "loss", "task_weight", "clip",
            "ema_decay", "window",
        }  # fmt: skip
        assert spec.promotion.seeds == (42, 123, 456, 789, 1024)


def test_five_studies_are_shipped() -> None:
    assert [path.stem for path in SHIPPED] == ["fd001", "fd002", "fd003", "fd004", "quickstart"]


def test_the_grammar_names_every_key() -> None:
    text = (Path(__file__).parents[2] / "studies" / "README.md").read_text()
    tables = {name: field.annotation for name, field in StudySpec.model_fields.items()}
    keys = [f"`{name}`" for name in tables if name not in {"space", "fixed", "incumbent"}]
    for name, table in tables.items():
        if isinstance(table, type) and hasattr(table, "model_fields") and name != "space":
            keys += [f"`{key}`" for key in table.model_fields]
    keys += [f"`{name}`" for name in RunConfig.model_fields]
    assert [key for key in keys if key not in text and key.strip("`") not in {"data", "objective"}] == []
