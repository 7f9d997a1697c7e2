import pytest
from hypothesis import given
from hypothesis import strategies as st

from amnl_tune.errors import ConfigurationError
from amnl_tune.training.config import RunConfig, published_defaults


def test_the_defaults_are_the_published_recipe() -> None:
    config = RunConfig()
    assert (config.learning_rate, config.weight_decay, config.beta1, config.beta2) == (1e-3, 1e-4, 0.9, 0.999)
    assert (config.batch_size, config.clip, config.ema_decay, config.window) == (256, 1.0, 0.999, 30)
    assert (config.patience, config.min_delta) == (15, 0.001)


@pytest.mark.parametrize(("dataset", "dropout"), [("FD001", 0.3), ("FD002", 0.2), ("FD003", 0.3), ("FD004", 0.2)])
def test_published_dropout_depends_on_the_data_set(dataset: str, dropout: float) -> None:
    assert RunConfig.build(published_defaults(dataset)).dropout == dropout


def test_every_problem_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        RunConfig.build({"dropout": 1.5, "learning_rte": 1e-3, "loss": "mse"})
    message = str(caught.value)
    assert "`dropout`" in message
    assert "1.5" in message
    assert "`learning_rte`" in message
    assert "`loss`" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"horizon": 10, "epochs": 20}, "`horizon` must be at least `epochs`"),
        ({"accumulation_steps": 64, "batch_size": 32}, "`accumulation_steps` must be at most `batch_size`"),
        ({"health_thresholds": (80.0, 30.0)}, "`health_thresholds` must satisfy"),
        ({"hidden_size": 10, "num_heads": 8}, "`num_heads` must divide"),
    ],
)
def test_rules_between_settings(values: dict[str, object], rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        RunConfig.build(values)


@given(
    learning_rate=st.floats(1e-6, 1.0),
    batch_size=st.integers(1, 4096),
    window=st.integers(2, 200),
    patience=st.none() | st.integers(1, 50),
)
def test_plain_values_rebuild_the_same_configuration(
    learning_rate: float, batch_size: int, window: int, patience: int | None
) -> None:
    config = RunConfig(learning_rate=learning_rate, batch_size=batch_size, window=window, patience=patience)
    again = RunConfig.build(config.plain())
    assert again == config
    assert again.fingerprint() == config.fingerprint()
    assert hash(again) == hash(config)


def test_any_change_changes_the_fingerprint() -> None:
    config = RunConfig()
    assert config.replaced(seed=43).fingerprint() != config.fingerprint()
    assert config.replaced(seed=42).fingerprint() == config.fingerprint()
