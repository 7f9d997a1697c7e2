"""On curves that torch-lr-finder recorded for AMNL on FD001, and on made ones."""

import json
from pathlib import Path

import numpy as np
import pytest

from amnl_tune.training.config import Suggestion
from amnl_tune.training.lr_range import suggestions

RECORDED = json.loads((Path(__file__).parent / "recorded_curves.json").read_text())


@pytest.mark.parametrize("name", list(RECORDED))
def test_recorded_curves(name: str) -> None:
    recorded = RECORDED[name]
    found = suggestions(recorded["lr"], recorded["loss"])
    assert {str(rule): rate for rule, rate in found.items()} == pytest.approx(recorded["suggestions"])
    minimum = recorded["lr"][int(np.argmin(recorded["loss"]))]
    assert all(rate is not None and recorded["lr"][0] < rate <= minimum for rate in found.values())


def made(losses: np.ndarray) -> tuple[list[float], list[float]]:
    return list(np.geomspace(1e-6, 1.0, len(losses))), list(losses)


def test_a_sigmoid_fall_is_steepest_in_its_middle() -> None:
    x = np.linspace(-6, 0, 100)
    lr, loss = made(1 / (1 + np.exp(4 * (x + 3))))
    found = suggestions(lr, loss)
    assert np.log10(found[Suggestion.STEEPEST] or 0) == pytest.approx(-3, abs=0.1)
    assert found[Suggestion.MINIMUM_10] == pytest.approx(0.1)


def test_a_blow_up_ends_the_fall() -> None:
    x = np.linspace(-6, 0, 121)
    loss = 1 / (1 + np.exp(4 * (x + 3))) + np.where(x > -1, 50 * (x + 1) ** 2, 0)
    found = suggestions(*made(loss))
    assert -3 < np.log10(found[Suggestion.MINIMUM_10] or 0) <= -2
    assert np.log10(found[Suggestion.VALLEY] or 0) < -1.5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_follows_a_loss_that_is_not_finite_is_ignored(bad: float) -> None:
    x = np.linspace(-6, 0, 100)
    lr, loss = made(1 / (1 + np.exp(4 * (x + 3))))
    expected = suggestions(lr[:80], loss[:80])
    assert suggestions(lr, [*loss[:80], bad, *([0.0] * 19)]) == expected


@pytest.mark.parametrize(
    "loss", [np.linspace(1, 2, 50), np.ones(50), np.array([np.nan] * 50), np.linspace(2, 1, 4), np.array([])]
)
def test_a_curve_without_a_fall_suggests_nothing(loss: np.ndarray) -> None:
    assert set(suggestions(*made(loss)).values()) == {None}
