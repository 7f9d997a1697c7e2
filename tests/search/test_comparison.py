"""Is the winner better? Against what is known in theory, and against simulated truth."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amnl_tune.rul.metrics import nasa_score, rmse
from amnl_tune.search.comparison import Comparison, compare
from amnl_tune.search.proxy import _checked

ENGINES = 100


def predictions(bias: float, noise: float, seeds: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(E,) labels and (S, E) predictions that are off by so much."""
    draws = np.random.default_rng(seed)
    true = draws.uniform(5, 125, ENGINES)
    return true, true + bias + draws.normal(0, noise, (seeds, ENGINES))


def test_the_figures_are_the_reported_ones() -> None:
    true, predicted = predictions(2, 12, seeds=3)
    found = compare(true, predicted, None, candidates=1)
    assert found.winner_rmse.value == pytest.approx(np.mean([rmse(own, true) for own in predicted]))
    assert found.winner_nasa.value == pytest.approx(np.mean([nasa_score(own, true) for own in predicted]))
    assert found.winner_rmse.low < found.winner_rmse.value < found.winner_rmse.high
    assert found.incumbent_rmse is found.rmse_difference is None
    assert "nothing to compare" in found.words


def test_the_interval_over_engines_is_that_of_theory() -> None:
    """Normal errors: the mean square has a standard error of sqrt(2/E) of itself, the RMSE half of that."""
    true, predicted = predictions(0, 12, seeds=1)
    found = compare(true, predicted, None, candidates=1).winner_rmse
    assert found.high - found.low == pytest.approx(2 * 1.96 * 12 / np.sqrt(2 * ENGINES), rel=0.25)


def test_pairing_engines_makes_a_small_difference_visible() -> None:
    draws = np.random.default_rng(3)
    true = draws.uniform(5, 125, ENGINES)
    hard = draws.normal(0, 14, ENGINES)
    winner = true + hard * 0.9 + draws.normal(0, 0.3, (3, ENGINES))
    incumbent = true + hard + draws.normal(0, 0.3, (3, ENGINES))
    found = compare(true, winner, incumbent, candidates=1)
    assert found.better
    assert found.rmse_difference is not None and found.rmse_difference.low > 0
    assert found.words == (
        f"better by {found.rmse_difference.value:.1f} cycles "
        f"[{found.rmse_difference.low:.1f}, {found.rmse_difference.high:.1f}]"
    )
    assert found.winner_rmse.high > found.incumbent_rmse.low  # type: ignore[union-attr]  # unpaired, they overlap


def test_equal_configurations_are_inside_seed_noise() -> None:
    true, winner = predictions(0, 12, seeds=3)
    _, incumbent = predictions(0, 12, seeds=3, seed=1)
    incumbent = incumbent + np.random.default_rng(5).normal(0, 3, incumbent.shape)
    found = compare(true, winner, winner + np.array([[0.5], [-0.5], [0.0]]), candidates=1)
    assert not found.better
    assert found.words.startswith("inside seed noise (")
    assert found.words.endswith(": keep the incumbent")
    assert compare(true, incumbent, winner, candidates=1).rmse_difference is not None


def test_seeds_that_disagree_widen_the_interval() -> None:
    true, winner = predictions(0, 10, seeds=3)
    _, incumbent = predictions(0, 12, seeds=3, seed=1)
    calm = compare(true, winner, incumbent, candidates=1).rmse_difference
    wild = compare(true, winner * np.array([[1.0], [1.2], [0.8]]), incumbent, candidates=1).rmse_difference
    assert calm is not None and wild is not None
    assert wild.high - wild.low > 1.5 * (calm.high - calm.low)


def test_the_best_of_many_has_a_wider_interval_than_the_only_one() -> None:
    true, winner = predictions(0, 10, seeds=3)
    _, incumbent = predictions(0, 12, seeds=3, seed=1)
    one, many = (compare(true, winner, incumbent, candidates=k) for k in (1, 10))
    assert one.corrected_level == 0.95
    assert many.corrected_level == pytest.approx(0.995)
    assert one.rmse_difference is not None and many.rmse_difference is not None
    assert many.rmse_difference.low < one.rmse_difference.low
    assert many.rmse_difference.high > one.rmse_difference.high
    assert many.winner_rmse == one.winner_rmse


def test_one_seed_establishes_nothing() -> None:
    true, winner = predictions(0, 5, seeds=1)
    _, incumbent = predictions(0, 20, seeds=1, seed=1)
    found = compare(true, winner, incumbent, candidates=1)
    assert not found.better
    assert "one seed says nothing about seed noise" in found.words


def test_the_incumbent_itself_is_compared_with_nothing() -> None:
    true, winner = predictions(0, 10, seeds=3)
    found = compare(true, winner, winner, candidates=2, same=True)
    assert (found.rmse_difference, found.better) == (None, False)
    assert found.incumbent_rmse == found.winner_rmse
    assert found.words.endswith("keep the incumbent")


def test_a_worse_winner_is_said_to_be_worse() -> None:
    true, winner = predictions(0, 20, seeds=3)
    _, incumbent = predictions(0, 10, seeds=3, seed=1)
    assert compare(true, winner, incumbent, candidates=1).words.startswith("worse by ")


def test_hopeless_predictions_have_an_infinite_score_and_no_undefined_interval() -> None:
    true, winner = predictions(0, 10, seeds=3)
    winner[0, 0] = 1e9
    found = compare(true, winner, predictions(0, 10, seeds=3)[1], candidates=1)
    assert np.isinf(found.winner_nasa.value)
    assert np.isfinite(found.winner_nasa.low)
    assert found.winner_nasa.high == np.inf
    assert found.nasa_difference is not None
    assert found.nasa_difference.value == -np.inf
    assert compare(true, winner, winner + 1, candidates=1).nasa_difference is None
    assert Comparison.from_plain(json.loads(json.dumps(found.plain()))) == Comparison.from_plain(found.plain())


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(2, 30))
def test_every_shape_of_seeds_and_engines_is_compared(one: int, other: int, engines: int) -> None:
    draws = np.random.default_rng(one + 10 * other)
    true = draws.uniform(0, 125, engines)
    found = compare(
        true, true + draws.normal(0, 9, (one, engines)), true + draws.normal(0, 9, (other, engines)), candidates=2
    )
    assert found.seeds == (one, other)
    assert found.rmse_difference is not None
    assert found.rmse_difference.low <= found.rmse_difference.high


def told(*pairs: tuple[float | None, float]) -> list[dict[str, object]]:
    return [{"trial": i, "origin": "sampler", "short": short, "full": full} for i, (short, full) in enumerate(pairs)]


def test_short_trials_that_rank_like_long_runs_raise_no_warning() -> None:
    check = _checked(told((15.0, 12.0), (16.0, 13.0), (17.0, 14.0)))
    assert (check.spearman, check.regret, check.warning) == (pytest.approx(1.0), 0.0, None)


def test_short_trials_that_mislead_are_warned_of() -> None:
    check = _checked(told((15.0, 14.0), (16.0, 13.0), (17.0, 12.0), (None, 11.0)))
    assert check.spearman == pytest.approx(-1.0)
    assert check.regret == pytest.approx(2.0)
    assert check.warning is not None and "do not predict the long runs" in check.warning


def test_two_configurations_have_a_regret_and_no_correlation() -> None:
    check = _checked(told((15.0, 14.0), (16.0, 13.0)))
    assert (check.spearman, check.regret, check.warning) == (None, 1.0, None)
    assert _checked(told((None, 14.0))).regret is None
