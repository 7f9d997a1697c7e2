import pytest
import torch

from amnl_tune.rul.configuration import NetworkConfig, Pooling
from amnl_tune.rul.networks.amnl import AMNL

PUBLISHED = {
    "convolutions": 53_184,
    "lstm": 2_236_416,
    "attention": 1_050_624,
    "norm": 1_024,
    "pool": 0,
    "shared": 149_856,
    "rul_head": 4_737,
    "health_head": 1_635,
}


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_parameter_counts() -> None:
    model = AMNL(NetworkConfig())
    assert {name: count(child) for name, child in model.named_children()} == PUBLISHED
    assert count(model) == 3_497_476


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("layers", [1, 2])
def test_shapes(pooling: Pooling, layers: int) -> None:
    config = NetworkConfig(hidden_size=8, num_heads=4, num_layers=layers, pooling=pooling, fc_sizes=(16, 8), window=12)
    predicted = AMNL(config)(torch.randn(5, 12, 17))
    assert predicted.rul.shape == (5,)
    assert predicted.health.shape == (5, 3)
    assert (predicted.rul >= 0).all()


def test_the_untrained_network_answers_what_it_starts_at() -> None:
    model = AMNL(NetworkConfig(hidden_size=8, num_heads=4)).eval()
    model.start_at(80.0)
    assert model(torch.randn(6, 30, 17)).rul.tolist() == pytest.approx([80.0] * 6, abs=5.0)


def test_the_backbone_is_everything_but_the_heads() -> None:
    model = AMNL(NetworkConfig())
    assert sum(p.numel() for p in model.backbone()) == 3_497_476 - PUBLISHED["rul_head"] - PUBLISHED["health_head"]


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"must divide 2 \* `hidden_size`, but got num_heads=3"):
        NetworkConfig(hidden_size=8, num_heads=3)
