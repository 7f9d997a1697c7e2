import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from amnl_tune.rul.configuration import Loss, LossConfig, RulReduction, SampleWeight
from amnl_tune.rul.losses import UNKNOWN, DualTaskLoss, health_class, likeliest_class
from amnl_tune.rul.networks.amnl import Prediction, health_names

RUL = torch.tensor([5.0, 30.0, 31.0, 80.0, 81.0, 125.0])


def prediction(seed: int = 0) -> tuple[Prediction, Tensor]:
    """A linear backbone of one shared vector, so that gradients can be written down."""
    torch.manual_seed(seed)
    shared = torch.randn(6, requires_grad=True)
    return Prediction(RUL + 10 * shared, torch.stack((shared, -shared, 2 * shared), dim=1)), shared


def raw_terms(weighted: bool) -> tuple[Tensor, Tensor]:
    predicted, _ = prediction()
    weight = 1 + (1 - RUL / 125).clamp(0, 1) if weighted else torch.ones(6)
    squares = weight * (predicted.rul - RUL) ** 2
    return squares.sum() / weight.sum(), F.cross_entropy(predicted.health, torch.tensor([2, 2, 1, 1, 0, 0]))


def test_health_thresholds_belong_to_the_worse_class() -> None:
    assert health_class(RUL, (30.0, 80.0)).tolist() == [2, 2, 1, 1, 0, 0]


def test_what_is_not_finite_has_no_class() -> None:
    wrong = torch.tensor([torch.nan, torch.inf, -torch.inf, 10.0])
    classes = health_class(wrong, (30.0, 80.0)).tolist()
    assert classes == [UNKNOWN, UNKNOWN, UNKNOWN, 2]
    assert health_names(classes) == ["unknown", "unknown", "unknown", "critical"]
    rows = torch.tensor([[0.2, 0.7, 0.1], [torch.nan, 0.5, 0.5], [torch.nan] * 3])
    assert likeliest_class(rows).tolist() == [1, UNKNOWN, UNKNOWN]


def test_fixed_is_the_raw_sum() -> None:
    predicted, _ = prediction()
    terms = DualTaskLoss(LossConfig(loss=Loss.FIXED, task_weight=0.3))(predicted, RUL)
    rul, health = raw_terms(weighted=True)
    assert terms.total.item() == pytest.approx((0.3 * rul + 0.7 * health).item())
    assert terms.rul.item() == pytest.approx(rul.item())
    assert terms.health.item() == pytest.approx(health.item())


def test_normalized_batch_is_the_constant_one_with_normalised_gradients() -> None:
    predicted, shared = prediction()
    terms = DualTaskLoss(LossConfig())(predicted, RUL)
    assert terms.total.item() == pytest.approx(1.0)
    (gradient,) = torch.autograd.grad(terms.total, shared)
    predicted, shared = prediction()
    again = DualTaskLoss(LossConfig(loss=Loss.FIXED))(predicted, RUL)
    rul, health = raw_terms(weighted=True)
    fixed = 0.5 * again.rul / rul + 0.5 * again.health / health  # values only
    assert fixed.item() == pytest.approx(1.0)
    parts = [torch.autograd.grad(term, shared, retain_graph=True)[0] for term in _live_terms(predicted)]
    assert torch.allclose(gradient, 0.5 * parts[0] / rul + 0.5 * parts[1] / health, atol=1e-6)


def _live_terms(predicted: Prediction) -> tuple[Tensor, Tensor]:
    weight = 1 + (1 - RUL / 125).clamp(0, 1)
    return (
        (weight * (predicted.rul - RUL) ** 2).sum() / weight.sum(),
        F.cross_entropy(predicted.health, health_class(RUL, (30.0, 80.0))),
    )


def test_normalized_ema_divides_by_the_bias_corrected_average() -> None:
    loss = DualTaskLoss(LossConfig(loss=Loss.NORMALIZED_EMA))
    totals, terms = [], []
    for seed in (1, 2):
        predicted, _ = prediction(seed)
        result = loss(predicted, RUL)
        totals.append(result.total.item())
        terms.append((result.rul.item(), result.health.item()))
    assert totals[0] == pytest.approx(1.0)
    average = [(0.99 * 0.01 * first + 0.01 * second) / (1 - 0.99**2) for first, second in zip(*terms, strict=True)]
    assert totals[1] == pytest.approx(0.5 * terms[1][0] / average[0] + 0.5 * terms[1][1] / average[1], rel=1e-5)


def test_evaluation_does_not_move_the_averages() -> None:
    loss = DualTaskLoss(LossConfig(loss=Loss.NORMALIZED_EMA))
    predicted, _ = prediction()
    loss(predicted, RUL)
    before = loss.averages.clone()
    loss.eval()(predicted, RUL)
    assert torch.equal(loss.averages, before)


def test_rul_only_ignores_health() -> None:
    predicted, _ = prediction()
    terms = DualTaskLoss(LossConfig(loss=Loss.RUL_ONLY))(predicted, RUL)
    assert terms.total.item() == terms.rul.item()


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [(RulReduction.WEIGHTED_MEAN, 100.0), (RulReduction.MEAN, 150.0)],
)
def test_the_editions_differ_in_the_divisor(reduction: RulReduction, expected: float) -> None:
    rul = torch.full((4,), 62.5)
    terms = DualTaskLoss(LossConfig(loss=Loss.FIXED, rul_reduction=reduction))(
        Prediction(rul + 10, torch.zeros(4, 3)), rul
    )
    assert terms.rul.item() == pytest.approx(expected)


def test_unweighted_is_the_mean_square() -> None:
    terms = DualTaskLoss(LossConfig(loss=Loss.FIXED, sample_weight=SampleWeight.NONE))(
        Prediction(RUL + 2, torch.zeros(6, 3)), RUL
    )
    assert terms.rul.item() == pytest.approx(4.0)


def balanced(kind: Loss, *, steps: int, warmup: int = 0, floor: float = 0.0) -> tuple[float, float, float]:
    """The weight of the RUL term after some steps, as it shows in the gradient, and both raw norms."""
    loss = DualTaskLoss(LossConfig(loss=kind, gaba_warmup_steps=warmup, gaba_floor=floor))
    for _ in range(steps):
        predicted, shared = prediction()
        terms = loss(predicted, RUL, [shared])
    (total,) = torch.autograd.grad(terms.total, shared, retain_graph=True)
    predicted, shared = prediction()
    weighted = kind is Loss.GRACE
    weight = 1 + (1 - RUL / 125).clamp(0, 1) if weighted else torch.ones(6)
    rul_term = (weight * (predicted.rul - RUL) ** 2).sum() / weight.sum()
    (rul,) = torch.autograd.grad(rul_term, shared, retain_graph=True)
    health_term = F.cross_entropy(predicted.health, health_class(RUL, (30.0, 80.0)))
    (health,) = torch.autograd.grad(health_term, shared)
    share = ((total - health) @ (rul - health) / ((rul - health) @ (rul - health))).item()
    return share, rul.norm().item(), health.norm().item()


@pytest.mark.parametrize("kind", [Loss.GABA, Loss.GRACE])
def test_gaba_gives_each_task_the_other_ones_share_of_the_gradient(kind: Loss) -> None:
    share, rul, health = balanced(kind, steps=3)
    assert share == pytest.approx(health / (rul + health), rel=1e-3)


def test_gaba_starts_uniform_and_keeps_its_floor() -> None:
    assert balanced(Loss.GABA, steps=5, warmup=5)[0] == pytest.approx(0.5, abs=1e-4)
    share, rul, health = balanced(Loss.GABA, steps=6, warmup=5, floor=0.3)
    assert health / (rul + health) < 0.3
    assert share == pytest.approx(0.3, abs=1e-4)
