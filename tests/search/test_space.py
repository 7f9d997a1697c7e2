import optuna
import pytest

from amnl_tune.search.space import Space

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
    ],
)
def test_which_values_an_entry_holds(name: str, value: object, held: bool) -> None:
    assert SPACE.holds(name, value) is held
