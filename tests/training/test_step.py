"""A step is the whole batch's, in however many parts it is taken."""

import pytest
import torch
from torch import Tensor

from amnl_tune.rul.configuration import Loss
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import RunConfig
from amnl_tune.training.state import RunState
from amnl_tune.training.step import Step

CPU = torch.device("cpu")


def step_of(config: RunConfig, data: PreparedData, count: int = 30) -> tuple[Tensor, Tensor, RunState]:
    """Raw terms and gradient (P,) of a first step on `count` windows."""
    state = RunState.start(config, mean_rul=80.0, data_sha256="", device=CPU)
    state.model.train()
    last = data.training_windows(config)[:count]
    state.begin_step(10)
    terms = Step(state)(data.rows.windows(last, config.window), data.rows.rul[last])
    gradients = [p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in state.parameters]
    return terms, torch.cat(gradients), state


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("parts", [3, 7])
def test_accumulation_gives_the_gradients_of_the_large_batch(
    tiny_config: RunConfig, tiny_data: PreparedData, loss: Loss, parts: int
) -> None:
    """With batch statistics and weights that depend on the batch; without dropout, whose masks are drawn anew."""
    config = tiny_config.replaced(loss=loss, dropout=0.0, attention_dropout=0.0, clip=0.0, gaba_warmup_steps=0)
    terms, gradient, whole = step_of(config, tiny_data)
    parted_terms, parted_gradient, parted = step_of(config.replaced(accumulation_steps=parts), tiny_data)
    assert gradient.norm() > 0
    torch.testing.assert_close(parted_terms, terms, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(parted_gradient, gradient, rtol=1e-3, atol=1e-5 * float(gradient.norm()))
    for name, value in whole.model.state_dict().items():
        if "running" in name or "num_batches" in name:
            torch.testing.assert_close(parted.model.state_dict()[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", list(Loss))
def test_the_gradient_is_that_of_the_loss(tiny_config: RunConfig, tiny_data: PreparedData, loss: Loss) -> None:
    config = tiny_config.replaced(loss=loss, dropout=0.0, attention_dropout=0.0, clip=0.0, gaba_warmup_steps=0)
    _, gradient, _ = step_of(config, tiny_data)
    state = RunState.start(config, mean_rul=80.0, data_sha256="", device=CPU)
    state.model.train()
    last = tiny_data.training_windows(config)[:30]
    predicted = state.model(tiny_data.rows.windows(last, config.window))
    state.loss(predicted, tiny_data.rows.rul[last], state.shared).total.backward()
    plain = [p.grad.flatten() if p.grad is not None else torch.zeros(p.numel()) for p in state.parameters]
    torch.testing.assert_close(gradient, torch.cat(plain), rtol=1e-3, atol=1e-6 * float(gradient.norm()))
