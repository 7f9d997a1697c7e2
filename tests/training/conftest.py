"""A fleet small enough to train on in a blink."""

import pytest

from amnl_tune.rul.preparation import PreparedData, prepare
from amnl_tune.rul.simulator import simulate
from amnl_tune.rul.sources import TrainingFleet
from amnl_tune.training.config import RunConfig


@pytest.fixture(scope="session")
def tiny_config() -> RunConfig:
    return RunConfig(
        dataset="SIM1",
        conv_channels=(8, 8),
        hidden_size=4,
        num_heads=2,
        fc_sizes=(16, 8),
        window=20,
        stride=8,
        batch_size=32,
        epochs=5,
        patience=None,
    )


@pytest.fixture(scope="session")
def tiny_data(tiny_config: RunConfig) -> PreparedData:
    return prepare(TrainingFleet("SIM1", "0" * 64, simulate("SIM1", engines=10).train), tiny_config)
