"""Is the winner better? Against what is known in theory, and against simulated truth."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from amnl_tune.promotion.bootstrap import Bootstrap, Estimate
from amnl_tune.promotion.choosing import judged
from amnl_tune.promotion.scores import CandidateKind, CandidateScore, TestScores
from amnl_tune.promotion.short_against_full import _checked, rank_correlation
from amnl_tune.promotion.verdict import Comparison, Margin, compare, margin
from amnl_tune.rul.metrics import nasa_score, rmse

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
        f"better: -{found.rmse_difference.value:.2f} cycles "
        f"[-{found.rmse_difference.high:.2f}, -{found.rmse_difference.low:.2f}]"
    )
    assert found.winner_rmse.high > found.incumbent_rmse.low  # type: ignore[union-attr]  # unpaired, they overlap


def test_equal_configurations_are_not_told_apart() -> None:
    true, winner = predictions(0, 12, seeds=3)
    _, incumbent = predictions(0, 12, seeds=3, seed=1)
    incumbent = incumbent + np.random.default_rng(5).normal(0, 3, incumbent.shape)
    found = compare(true, winner, winner + np.array([[0.5], [-0.5], [0.0]]), candidates=1)
    assert not found.better
    assert found.rmse_difference is not None and abs(found.rmse_difference.value) < 0.05
    assert found.words.startswith(f"not established: {-found.rmse_difference.value:+.2f} cycles [")
    assert "the interval includes zero" in found.words
    assert "keep the incumbent" not in found.words
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
    assert found.rmse_difference is not None and found.rmse_difference.low > 0
    assert found.words.startswith(f"not established: -{found.rmse_difference.value:.2f} cycles [")
    assert found.words.endswith("], fewer than 3 seeds")


@pytest.mark.parametrize(
    ("interval", "seeds", "better", "words"),
    [
        ((2.0, 0.3, 3.9), (3, 3), True, "better: -2.00 cycles [-3.90, -0.30]"),
        ((2.0, 0.3, 3.9), (3, 2), False, "not established: -2.00 cycles [-3.90, -0.30], fewer than 3 seeds"),
        ((2.0, 0.3, 3.9), (1, 3), False, "not established: -2.00 cycles [-3.90, -0.30], fewer than 3 seeds"),
        ((-2.0, -3.9, -0.3), (3, 3), False, "worse: +2.00 cycles [0.30, 3.90]"),
        ((-2.0, -3.9, -0.3), (2, 3), False, "not established: +2.00 cycles [0.30, 3.90], fewer than 3 seeds"),
        ((0.8, -0.6, 2.3), (5, 5), False, "not established: -0.80 cycles [-2.30, 0.60], the interval includes zero"),
        ((0.8, -0.6, 2.3), (1, 1), False, "not established: -0.80 cycles [-2.30, 0.60], the interval includes zero and fewer than 3 seeds"),
        ((0.001, -0.001, 0.004), (5, 5), False, "not established: +0.00 cycles [0.00, 0.00], the interval includes zero"),
    ],
)  # fmt: skip
def test_the_words_of_the_verdict(
    interval: tuple[float, float, float], seeds: tuple[int, int], better: bool, words: str
) -> None:
    """Also of a record whose writer had another rule: the verdict follows from the figures."""
    one = {"value": 10.0, "low": 9.0, "high": 11.0}
    names = ("winner_rmse", "winner_nasa", "incumbent_rmse", "incumbent_nasa", "nasa_difference")
    difference = dict(zip(("value", "low", "high"), interval, strict=True))
    record = dict.fromkeys(names, one) | {"rmse_difference": difference, "seeds": list(seeds), "level": 0.95}
    record |= {"corrected_level": 0.95, "candidates": 1, "better": True, "words": "better by 0.8 cycles [-0.6, 2.3]"}
    found = Comparison.from_plain(record)
    assert (found.better, found.words) == (better, words)


@pytest.mark.parametrize(
    ("seeds", "established"),
    [((3, None), True), ((2, None), False), ((1, None), False), ((None, None), True), ((3, 3), True), ((3, 2), False)],
)
def test_what_has_no_seeds_has_enough_of_them(seeds: tuple[int | None, int | None], established: bool) -> None:
    found = Margin(Estimate(1.0, 0.5, 1.5), 0.95, seeds)
    assert found.established == found.better == established
    assert not Margin(Estimate(-1.0, -1.5, -0.5), 0.95, seeds).better
    assert not Margin(Estimate(1.0, -0.5, 1.5), 0.95, seeds).established
    assert Margin.from_plain({"difference": vars(found.difference), "level": 0.95, "seeds": list(seeds)}) == found


def test_boosting_is_compared_without_seed_noise() -> None:
    true, networks = predictions(0, 10, seeds=3)
    trees = predictions(0, 14, seeds=1, seed=1)[1][0]
    bootstrap = Bootstrap(true)
    network, boosting = bootstrap.networks(bootstrap.seeds(networks)), bootstrap.fixed(trees)
    assert boosting.estimate("rmse").value == pytest.approx(rmse(trees, true))
    assert boosting.estimate("nasa").value == pytest.approx(nasa_score(trees, true))
    found = margin(network, boosting, candidates=1)
    assert (found.seeds, found.better) == ((3, None), True)
    back = margin(boosting, network, candidates=1)
    assert back.established and not back.better
    assert back.difference is not None and found.difference is not None
    assert back.difference.low == pytest.approx(-found.difference.high)


def test_the_mix_is_of_the_seeds_mean_and_paired_with_them() -> None:
    true, networks = predictions(0, 10, seeds=3)
    trees = predictions(0, 10, seeds=1, seed=1)[1][0]
    bootstrap = Bootstrap(true)
    seeds = bootstrap.seeds(networks)
    mix = bootstrap.mix(seeds, trees)
    mean = (networks.mean(axis=0) + trees) / 2
    assert mix.seeds == 3
    assert mix.estimate("rmse").value == pytest.approx(rmse(mean, true))
    assert mix.estimate("nasa").value == pytest.approx(nasa_score(mean, true))
    assert mix.estimate("rmse").low < mix.estimate("rmse").value < mix.estimate("rmse").high
    spread = {
        name: margin(mix, bootstrap.networks(drawn), candidates=1).difference
        for name, drawn in (("paired", seeds), ("apart", bootstrap.seeds(networks)))
    }
    width = {name: found.high - found.low for name, found in spread.items() if found}
    assert width["paired"] < width["apart"]
    alike = bootstrap.mix(bootstrap.seeds(np.array([trees])), trees)
    same = margin(alike, bootstrap.fixed(trees), candidates=1).difference
    assert same is not None and (same.value, same.low, same.high) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def score(kind: CandidateKind, true: np.ndarray, seeds: np.ndarray, trial: int | None = None) -> CandidateScore:
    by_seed = {str(i): own.tolist() for i, own in enumerate(seeds)} if kind is CandidateKind.NETWORK else {}
    figures = {seed: {"validation_rmse": 1.0, "test_rmse": 1.0, "nasa_score": 1.0} for seed in by_seed}
    mean = seeds.mean(axis=0)
    return CandidateScore(
        trial, str(kind), 10.0, rmse(mean, true), nasa_score(mean, true), figures, mean.tolist(), by_seed, kind=kind
    )


def look(choice: CandidateKind, *, seeds: int = 3) -> TestScores:
    """Networks and boosting that err by 10, a mix that therefore errs less, and an age that knows nothing."""
    true, networks = predictions(0, 10, seeds=seeds)
    _, published = predictions(0, 14, seeds=seeds, seed=1)
    trees, age = np.random.default_rng(7).normal(true, 10), np.full(ENGINES, 65.0)
    rivals = [
        score(CandidateKind.BOOSTING, true, trees[None]),
        score(CandidateKind.MIX, true, (networks.mean(axis=0) + trees)[None] / 2),
        score(CandidateKind.AGE_ALONE, true, age[None]),
    ]
    known = TestScores(
        promotion=1, look=1, forced=False, dataset="FD001", data_sha256="0", scored_at=0.0,
        winner=score(CandidateKind.NETWORK, true, networks, trial=7),
        incumbent=score(CandidateKind.NETWORK, true, published, trial=0),
        mean_rmse=40.0, mean_nasa_score=1e4, true=true.tolist(), units=list(range(ENGINES)), rivals=rivals,
        choice=choice, mean_validation_rmse=41.0,
    )  # fmt: skip
    return judged(known, networks=2)


def test_the_choice_is_compared_with_every_other_candidate_and_read_again() -> None:
    for choice in (CandidateKind.NETWORK, CandidateKind.BOOSTING, CandidateKind.MIX):
        scores = look(choice)
        assert scores.incumbent is not None and scores.against_boosting is not None
        every = [scores.winner, scores.incumbent, *scores.rivals]
        assert scores.chosen.kind is choice
        assert [one.against_choice is None for one in every] == [one is scores.chosen for one in every]
        assert all(
            one.rmse_interval and one.rmse_interval.value == pytest.approx(one.test_rmse) for one in scores.rivals
        )
        assert all(one.against_choice.level == pytest.approx(1 - 0.05 / 3) for one in every if one.against_choice)
        assert scores.against_boosting.level == pytest.approx(0.975)
        assert scores.against_boosting.seeds == (3, None)
        assert TestScores.from_plain(json.loads(json.dumps(scores.plain()))) == scores
    assert not scores.against_boosting.established
    age = scores.rivals[-1].against_choice
    assert age is not None and age.better
    few = look(CandidateKind.MIX, seeds=2).rivals[-1].against_choice
    assert few is not None and few.doubts == ("fewer than 3 seeds",)


def test_a_record_without_boosting_has_the_network_as_its_choice() -> None:
    plain = json.loads(json.dumps(look(CandidateKind.MIX).plain()))
    for name in ("rivals", "choice", "against_boosting", "mean_validation_rmse"):
        del plain[name]
    for one in (plain["winner"], plain["incumbent"]):
        for name in ("kind", "fit_seconds", "predict_seconds", "rmse_interval", "nasa_interval", "against_choice"):
            del one[name]
    old = TestScores.from_plain(plain)
    assert (old.choice, old.chosen, old.rivals) == (CandidateKind.NETWORK, old.winner, [])
    assert old.winner.kind is CandidateKind.NETWORK
    assert (old.winner.fit_seconds, old.winner.against_choice, old.against_boosting) == (None, None, None)


def test_the_incumbent_itself_is_compared_with_nothing() -> None:
    true, winner = predictions(0, 10, seeds=3)
    found = compare(true, winner, winner, candidates=2, same=True)
    assert (found.rmse_difference, found.better) == (None, False)
    assert found.incumbent_rmse == found.winner_rmse
    assert found.words == "the published defaults are the validation engines' choice of network"


def test_a_worse_winner_is_said_to_be_worse() -> None:
    true, winner = predictions(0, 20, seeds=3)
    _, incumbent = predictions(0, 10, seeds=3, seed=1)
    assert compare(true, winner, incumbent, candidates=1).words.startswith("worse: +")


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


def test_the_rank_correlation_is_scipys() -> None:
    draws = np.random.default_rng(1)
    for size in (3, 4, 10, 50):
        for values in (draws.normal(size=(2, size)), draws.integers(0, 3, size=(2, size)).astype(float)):
            if all(len(set(side)) > 1 for side in values):
                assert rank_correlation(*values) == pytest.approx(spearmanr(*values).statistic, rel=1e-12, abs=1e-12)
    assert rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
