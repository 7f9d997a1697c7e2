import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amnl_tune.studies.space import Space

SPACE = Space.model_validate(
    {
        "task_weight": {"type": "float", "low": 0.1, "high": 0.9, "when": {"loss": ["fixed", "normalized_batch"]}},
        "loss": {"type": "categorical", "choices": ["fixed", "rul_only"]},
        "learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
        "window": {"type": "int", "low": 30, "high": 60, "step": 5},
    }
)


def ask(**given: object) -> dict[str, object]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial(given)
    return SPACE.ask(study.ask(), {})


def test_conditions_are_asked_after_what_they_depend_on() -> None:
    assert SPACE.names.index("loss") < SPACE.names.index("task_weight")
    assert "task_weight" in ask(loss="fixed")
    assert "task_weight" not in ask(loss="rul_only")


def test_conditions_may_look_at_settings_that_are_not_searched() -> None:
    space = Space.model_validate({"clip": {"type": "float", "low": 0.1, "high": 1.0, "when": {"loss": ["fixed"]}}})
    trial = optuna.create_study().ask()
    assert space.ask(trial, {"loss": "rul_only"}) == {}
    assert set(space.ask(trial, {"loss": "fixed"})) == {"clip"}


def test_distributions_are_optuna_s() -> None:
    assert SPACE["learning_rate"].distribution() == optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True)
    assert SPACE["window"].distribution() == optuna.distributions.IntDistribution(30, 60, step=5)
    assert SPACE["loss"].distribution() == optuna.distributions.CategoricalDistribution(("fixed", "rul_only"))


def test_entries_are_asked_by_name_whatever_the_file_s_order() -> None:
    assert SPACE.names == ("learning_rate", "loss", "window", "task_weight")
    assert Space(dict(reversed(SPACE.root.items()))).names == SPACE.names
    assert list(SPACE.distributions()) == list(SPACE.names)


def test_a_condition_on_an_entry_that_is_not_asked_does_not_hold() -> None:
    chain = {
        "loss": {"type": "categorical", "choices": ["fixed", "rul_only"]},
        "num_layers": {"type": "int", "low": 1, "high": 2, "when": {"loss": ["fixed"]}},
        "dropout": {"type": "float", "low": 0.0, "high": 0.5, "when": {"num_layers": [2]}},
    }
    space = Space.model_validate(chain)
    values = {"loss": "rul_only", "num_layers": 2, "dropout": 0.1}
    assert list(space.active(values)) == ["loss"]
    assert list(space.active(values | {"loss": "fixed"})) == ["loss", "num_layers", "dropout"]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial(values)
    assert space.ask(study.ask(), {}) == {"loss": "rul_only"}


@given(low=st.integers(1, 50), width=st.integers(1, 300), step=st.integers(1, 7), seed=st.integers(0, 99))
def test_an_entry_holds_whatever_optuna_suggests(low: int, width: int, step: int, seed: int) -> None:
    number = {"low": low, "high": low + step * width, "step": step}
    space = Space.model_validate({"window": {"type": "int"} | number, "clip": {"type": "float"} | number})
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    asked = space.ask(trial, {})
    assert all(space[name].own(value) == value for name, value in asked.items())
    assert trial.distributions == space.distributions()
    assert {low, low + step * width} <= set(space["window"].values())


def test_a_prior_narrows_one_entry_only() -> None:
    narrow = SPACE.narrowed(learning_rate=(5e-4, 5e-3))
    assert (narrow["learning_rate"].distribution()) == optuna.distributions.FloatDistribution(5e-4, 5e-3, log=True)
    assert narrow["window"] == SPACE["window"]


@pytest.mark.parametrize(
    ("name", "value", "held"),
    [
        ("learning_rate", 1e-3, True),
        ("learning_rate", 1.0, False),
        ("window", 45, True),
        ("window", 46, False),
        ("window", True, False),
        ("loss", "fixed", True),
        ("loss", "gaba", False),
        ("window", "45", False),
        ("window", 45.0, True),
        ("window", 45.5, False),
        ("window", float("nan"), False),
    ],
)
def test_which_values_an_entry_holds(name: str, value: object, held: bool) -> None:
    assert SPACE.holds(name, value) is held
