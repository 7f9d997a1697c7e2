"""Metrics against figures worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from amnl_tune.rul.metrics import mean_predictor_rmse, nasa_score, rmse, worst_if_unknown


def test_rmse_by_hand() -> None:
    assert rmse(np.array([3.0, 0.0]), np.array([0.0, 4.0])) == pytest.approx(math.sqrt(12.5))


@pytest.mark.parametrize("errors", [[math.nan, 2.0, 1.0], [1.0, math.nan, 2.0], [2.0, 1.0, None]])
def test_what_is_unknown_is_last_wherever_it_stands(errors: list[float | None]) -> None:
    assert sorted(errors, key=worst_if_unknown)[:2] == [1.0, 2.0]


def test_true_labels_are_capped_and_predictions_are_not() -> None:
    assert rmse([125.0], [300.0]) == 0
    assert rmse([130.0], [300.0]) == 5
    assert nasa_score([125.0], [300.0]) == 0


def test_late_costs_more_than_early() -> None:
    assert nasa_score([50.0 - 13], [50.0]) == pytest.approx(math.e - 1)
    assert nasa_score([50.0 + 10], [50.0]) == pytest.approx(math.e - 1)
    assert nasa_score([37.0, 60.0, 50.0], [50.0, 50.0, 50.0]) == pytest.approx(2 * (math.e - 1))
    assert nasa_score([60.0], [50.0]) > nasa_score([40.0], [50.0])


def test_float32_input_is_summed_in_double_precision() -> None:
    predicted = np.full(100_000, 0.1, dtype=np.float32)
    assert rmse(predicted, np.zeros(100_000, dtype=np.float32)) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_divergence_gives_nan_or_infinity_and_no_warning() -> None:
    assert math.isnan(rmse([math.nan], [1.0]))
    assert math.isnan(nasa_score([math.nan], [1.0]))
    assert rmse([1e300], [1.0]) == math.inf
    assert nasa_score([1e9], [1.0]) == nasa_score([-1e9], [1.0]) == math.inf


@pytest.mark.parametrize(("predicted", "true"), [([1.0, 2.0], [1.0]), ([[1.0], [2.0]], [1.0, 2.0]), ([], [])])
def test_shapes_that_would_broadcast_are_refused(predicted: list[float], true: list[float]) -> None:
    with pytest.raises(ValueError, match="must both be"):
        rmse(predicted, true)


def test_the_mean_predictor_is_the_best_constant() -> None:
    true = np.array([7.0, 80.0, 200.0, 31.0])
    best = mean_predictor_rmse(true)
    assert best == pytest.approx(np.minimum(true, 125).std())
    assert all(rmse(np.full(4, constant), true) >= best for constant in range(0, 126, 5))


@pytest.mark.realdata
@pytest.mark.parametrize(("subset", "expected"), [("FD001", 40.1), ("FD002", 42.9), ("FD003", 39.2), ("FD004", 43.0)])
def test_mean_predictor_on_the_real_test_engines(cmapss_dir: Path, subset: str, expected: float) -> None:
    from amnl_tune.rul.sources import FleetSource

    assert round(mean_predictor_rmse(FleetSource((cmapss_dir,)).test(subset).rul), 1) == expected
