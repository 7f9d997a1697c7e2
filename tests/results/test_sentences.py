"""What is said of a promotion: the first sentence, the looks, and no first place inside the noise."""

import io
import json
from dataclasses import replace
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from amnl_tune.cli.summary import print_summary
from amnl_tune.dashboard.notes import _promotion
from amnl_tune.files import json_text
from amnl_tune.promotion.bootstrap import Estimate
from amnl_tune.promotion.choosing import judged
from amnl_tune.promotion.scores import CandidateKind, CandidateScore, TestScores
from amnl_tune.promotion.verdict import Margin
from amnl_tune.results import sentences
from amnl_tune.results.export.card import model_card
from amnl_tune.results.leaderboard import against_boosting, leaderboard
from amnl_tune.results.report import scored
from amnl_tune.training.config import RunConfig

ENGINES = 60
KINDS = (CandidateKind.NETWORK, CandidateKind.BOOSTING, CandidateKind.MIX)


def network(trial: int, origin: str, predicted: np.ndarray, validation_rmse: float) -> CandidateScore:
    by_seed = {str(seed): own.tolist() for seed, own in enumerate(predicted)}
    figures = {seed: {"validation_rmse": 12.0, "test_rmse": 12.0, "nasa_score": 200.0} for seed in by_seed}
    return CandidateScore(
        trial, origin, validation_rmse, 12.0, 200.0, figures, predicted.mean(axis=0).tolist(), by_seed,
        fit_seconds=250.0, predict_seconds=0.02,
    )  # fmt: skip


def look(choice: CandidateKind, *, noise: float = 10.0, seeds: int = 3) -> TestScores:
    """Boosting errs by 10 cycles, the tuned network by `noise`."""
    draws = np.random.default_rng(0)
    true = draws.uniform(5, 125, ENGINES)
    networks = true + draws.normal(0, noise, ENGINES) + draws.normal(0, 1, (seeds, ENGINES))
    published = true + draws.normal(0, 16, (seeds, ENGINES))
    trees = true + draws.normal(0, 10, ENGINES)
    given = {
        CandidateKind.BOOSTING: trees,
        CandidateKind.MIX: (networks.mean(axis=0) + trees) / 2,
        CandidateKind.AGE_ALONE: np.full(ENGINES, 65.0),
    }
    validation = {CandidateKind.BOOSTING: 11.0, CandidateKind.MIX: 10.0, CandidateKind.AGE_ALONE: 35.0}
    rivals = [
        CandidateScore(
            None, str(kind), validation[kind], float(np.sqrt(((own - true) ** 2).mean())), 150.0, {}, own.tolist(),
            kind=kind, fit_seconds=31.0, predict_seconds=0.004,
        )
        for kind, own in given.items()
    ]  # fmt: skip
    known = TestScores(
        promotion=1, look=1, forced=False, dataset="FD001", data_sha256="0", scored_at=0.0,
        winner=network(7, "sampler", networks, 12.0), incumbent=network(0, "published defaults", published, 13.0),
        mean_rmse=40.0, mean_nasa_score=1e4, true=true.tolist(), units=list(range(ENGINES)), rivals=rivals,
        choice=choice, mean_validation_rmse=41.0,
    )  # fmt: skip
    return judged(known, networks=2)


def facts_of(scores: TestScores) -> dict[str, Any]:
    """As `summarize` tells them."""
    rows = leaderboard(scores)
    assert scores.comparison is not None
    one = {"trial": 7, "seeds": ["1"], "test_rmse": 12.0}
    promotion = {
        "scored": True, "winner": one, "published_defaults": {"trial": 0, "test_rmse": 16.0},
        "mean_predictor": {"test_rmse": 40.0, "nasa_score": 1e4}, "test_engines": ENGINES, "choice": rows[0],
        "leaderboard": rows, "against_boosting": against_boosting(scores), "comparison": scores.comparison.plain(),
        "looks_at_test": 1, "looks": {"number": 1, "total": 1, "by_study": {"tiny": 1}}, "contaminated": None,
        "forced": False, "proxy_check": {"spearman": None, "warning": None},
    }  # fmt: skip
    trials = {"complete": 1, "pruned": 0, "fail": 0, "budget": 1}
    return {"study": "tiny", "dataset": "FD001", "data_sha256": "0" * 64, "promotion": promotion, "trials": trials,
            "epochs": 1, "best_trials": [], "lr_range_test": None, "failures": [], "foreign_trials": []}  # fmt: skip


def printed(facts: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_summary(console, facts)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def card(facts: dict[str, Any], kind: CandidateKind, **settings: Any) -> str:
    metrics = json.loads(json_text(facts["promotion"] | {"kind": kind, "by_seed": {"42": {}, "123": {}}}))
    provenance = {"study": "tiny", "trial": 7, "origin": "sampler"}
    return model_card(RunConfig(dataset="FD001", **settings), provenance, metrics)


@pytest.mark.parametrize(
    ("noise", "seeds", "said"),
    [
        (10.0, 3, "is not established better than gradient boosting on history statistics: "),
        (3.0, 3, "is better than gradient boosting on history statistics: "),
        (3.0, 2, "errs less than gradient boosting on history statistics: "),
        (10.0, 2, "is not established better than gradient boosting on history statistics: "),
        (30.0, 3, "is worse than gradient boosting on history statistics: "),
        (30.0, 2, "errs more than gradient boosting on history statistics: "),
    ],
)
@pytest.mark.parametrize("choice", KINDS)
def test_the_first_sentence_says_whether_boosting_is_beaten(
    choice: CandidateKind, noise: float, seeds: int, said: str
) -> None:
    facts = facts_of(look(choice, noise=noise, seeds=seeds))
    answer = sentences.answer(facts)
    assert answer.startswith(f"The tuned network (trial 7) {said}12.00 against ")
    assert ("fewer than 3 seeds" in answer.split(").")[0]) == (seeds < 3)
    words = facts["promotion"]["against_boosting"]["words"]
    assert answer.startswith(words + " The validation engines chose ")
    assert words in card(facts, choice)
    flat = " ".join(printed(facts).split())
    assert words in flat
    assert "The network against the published defaults (16.00 cycles): " in flat
    assert "Always predicting the mean: RMSE 40.00 cycles, NASA score 10000." in flat


NETWORK = "The tuned network (trial 7)"


@pytest.mark.parametrize(
    ("interval", "seeds", "verdict", "told"),
    [
        ((0.8, -0.6, 2.3), 5, "is not established better than", "-0.80 [-2.30, 0.60], the interval includes zero"),
        ((-0.68, -1.9, 0.5), 3, "is not established better than", "+0.68 [-0.50, 1.90], the interval includes zero"),
        (
            (0.8, -0.6, 2.3),
            1,
            "is not established better than",
            "-0.80 [-2.30, 0.60], the interval includes zero and fewer than 3 seeds",
        ),
        ((-5.75, -8.04, -3.45), 1, "errs more than", "+5.75 [3.45, 8.04]; fewer than 3 seeds: not established"),
        ((5.75, 3.45, 8.04), 2, "errs less than", "-5.75 [-8.04, -3.45]; fewer than 3 seeds: not established"),
        ((-5.75, -8.04, -3.45), 3, "is worse than", "+5.75 [3.45, 8.04]"),
        ((5.75, 3.45, 8.04), 3, "is better than", "-5.75 [-8.04, -3.45]"),
    ],
)
def test_plus_errs_more_and_a_lead_of_few_seeds_is_named_but_not_established(
    interval: tuple[float, float, float], seeds: int, verdict: str, told: str
) -> None:
    margin = Margin(Estimate(*interval), 0.95, (seeds, None))
    words = sentences.network_against_boosting(NETWORK, 9.8, 10.604, margin)
    assert words == f"{NETWORK} {verdict} gradient boosting on history statistics: 9.80 against 10.60 cycles ({told})."


@pytest.mark.parametrize(
    ("interval", "seeds", "told"),
    [
        ((0.8, -0.6, 2.3), 5, "+0.80 [-0.60, 2.30], not told apart"),
        ((0.8, -0.6, 2.3), 1, "+0.80 [-0.60, 2.30], not told apart"),
        ((20.01, 15.26, 24.63), 1, "+20.01 [15.26, 24.63], fewer than 3 seeds"),
        ((3.0, 1.0, 5.0), 3, "+3.00 [1.00, 5.00]"),
        ((-0.001, -0.004, 0.004), 3, "+0.00 [0.00, 0.00], not told apart"),
        ((1.84, 0.0046, 3.89), 3, "+1.84 [0.005, 3.89]"),
    ],
)
def test_not_told_apart_is_said_only_where_the_interval_includes_zero(
    interval: tuple[float, float, float], seeds: int, told: str
) -> None:
    assert sentences.against_choice(Margin(Estimate(*interval), 0.95, (seeds, None))) == told


def test_how_the_best_network_is_named_and_what_cannot_be_told() -> None:
    assert sentences.network(0, published=True) == "The best network (trial 0, the published defaults)"
    unknown = Margin(None, 0.95, (3, None))
    assert sentences.against_choice(unknown) == "not told apart"
    words = sentences.network_against_boosting(NETWORK, float("inf"), float("inf"), unknown)
    assert words.endswith(": infinite against infinite cycles (both errors are infinite).")


@pytest.mark.parametrize(
    ("choice", "seeds"), [(CandidateKind.MIX, 3), (CandidateKind.NETWORK, 3), (CandidateKind.MIX, 1)]
)
def test_every_leaderboard_says_what_is_averaged_and_what_the_published_defaults_are(
    choice: CandidateKind, seeds: int
) -> None:
    facts = facts_of(look(choice, seeds=seeds))
    for text in (printed(facts), scored(facts).replace("&#x27;", "'"), card(facts, choice)):
        flat = " ".join(text.split())
        assert ("the mix averages its seeds' predictions first, which alone lowers the RMSE." in flat) == (seeds > 1)
        assert "Published defaults: the published recipe with this study's fixed settings" in flat
        assert "In a difference plus means a larger error." in flat


def test_published_defaults_that_are_the_best_network_are_said_to_be() -> None:
    facts = facts_of(look(CandidateKind.MIX))["promotion"]
    one = facts["comparison"]["winner_rmse"]
    same = facts["comparison"] | {"incumbent_rmse": one, "rmse_difference": None, "words": "anything"}
    for known in (facts | {"comparison": same}, facts | {"winner": {"trial": 0}}):
        last = sentences.verdicts(known)[-1]
        assert last == "The best network is the published defaults: the search found nothing better."


@pytest.mark.parametrize("choice", KINDS)
def test_the_choice_comes_first_and_every_other_says_whether_it_is_told_apart(choice: CandidateKind) -> None:
    facts = facts_of(look(choice))
    rows = facts["promotion"]["leaderboard"]
    assert [row["chosen"] for row in rows] == [True, *[False] * 5]
    assert rows[0]["kind"] == choice
    others = [row["validation_rmse"] for row in rows[1:4]]
    assert others == sorted(others)
    assert [row["name"] for row in rows[4:]] == ["age alone", "mean predictor"]
    by_kind = {row["name"]: row for row in rows}
    assert {name: by_kind[name]["seeds"] for name in ("tuned network", "mix with boosting", "gradient boosting")} == {
        "tuned network": 3,
        "mix with boosting": 3,
        "gradient boosting": None,
    }
    assert all(row["against_choice"]["words"].endswith("not told apart") != row["against_choice"]["told_apart"]
               for row in rows[1:5])  # fmt: skip
    assert by_kind["age alone"]["against_choice"]["told_apart"]
    alike = [row["name"] for row in rows[1:4] if not row["against_choice"]["told_apart"]]
    assert bool(alike) == (choice is not CandidateKind.MIX)
    table, page, note = printed(facts), scored(facts).replace("\u00a0", " "), _promotion(facts)
    assert max(map(len, table.splitlines())) <= 80
    assert "the choice" in table and "chosen by the validation engines" in page
    assert ("not told apart" in table) == ("not told apart" in page) == bool(alike)
    assert note.startswith(f"chosen by the validation engines: {rows[0]['name']}") and note.endswith("; scored once")
    for text in (table, page, note, card(facts, choice)):
        assert "best" not in text.lower().replace("best of several", "").replace("picked the best", "")
        assert "1st" not in text and "seed noise" not in text
    assert "31 s" in page and "4 min" in page and "20 ms" in page


def test_a_record_without_boosting_tells_its_comparison() -> None:
    scores = look(CandidateKind.NETWORK)
    bare = {"rmse_interval": None, "nasa_interval": None, "against_choice": None}
    assert scores.incumbent is not None
    old = replace(
        scores, rivals=[], against_boosting=None, winner=replace(scores.winner, **bare),
        incumbent=replace(scores.incumbent, **bare), mean_validation_rmse=None,
    )  # fmt: skip
    facts = facts_of(old)
    first, second, mean = facts["promotion"]["leaderboard"]
    assert scores.comparison is not None
    assert (first["chosen"], first["test_rmse_low"]) == (True, scores.comparison.winner_rmse.low)
    assert second["against_choice"]["value"] == scores.comparison.rmse_difference.value  # type: ignore[union-attr]
    assert (mean["validation_rmse"], facts["promotion"]["against_boosting"]) == (None, None)
    assert sentences.answer(facts).startswith("The validation engines chose the tuned network (trial 7) (validation")
    assert "gradient boosting" not in printed(facts) + scored(facts) + card(facts, CandidateKind.NETWORK)
    older = facts_of(old)
    older["promotion"]["comparison"] = None  # of schema 0002
    assert "The published defaults have a test RMSE of 16.00 cycles." in sentences.answer(older)
    assert "95%" not in printed(older)


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ({"number": 1, "total": 1, "by_study": {"tiny": 1}}, "scored once"),
        (
            {"number": 2, "total": 3, "by_study": {"b": 1, "a": 1, "tiny": 1}},
            "look 2 of 3 at these test engines in this storage (also by studies a, b)",
        ),
        (
            {"number": 4, "total": 4, "by_study": {"a": 3, "tiny": 1}},
            "look 4 of 4 at these test engines in this storage (also by study a (3))",
        ),
        (
            {"number": 2, "total": 2, "by_study": {"tiny": 2}},
            "look 2 of 2 at these test engines in this storage (all by this study)",
        ),
    ],
)
def test_scored_once_is_said_only_where_nobody_else_has_looked(looks: dict[str, Any], said: str) -> None:
    facts = facts_of(look(CandidateKind.MIX))
    facts["promotion"] |= {"looks": looks, "looks_at_test": looks["total"]}
    assert sentences.looks(facts["promotion"], study="tiny") == said
    note = _promotion(facts).replace("\\", "")  # Markdown
    places = (printed(facts), scored(facts), note, card(facts, CandidateKind.MIX))
    for text in places:
        assert said in " ".join(text.split())
        assert ("scored once" in text) == (looks["total"] == 1)
    assert any("Looked at again" in text for text in places) == (looks["total"] > 1)


def test_the_card_says_what_each_kind_is_and_what_history_it_needs() -> None:
    facts = facts_of(look(CandidateKind.BOOSTING))
    boosting, mix = card(facts, CandidateKind.BOOSTING), card(facts, CandidateKind.MIX)
    assert "Gradient boosting (decision trees" in boosting
    assert "gradient boosting: this model |" in boosting
    assert 'session.run(["rul"], {"statistics": statistics})' in boosting
    assert "trained for" not in boosting
    assert "The class is read off the RUL." in boosting and "may contradict" not in boosting
    assert "the networks' mean probability: it may contradict the RUL" in mix
    assert "`rul_mean` and `rul_std` the networks' alone" in mix and "rul_mean" not in boosting
    assert "The plain mean of two models' RUL" in mix
    assert "all seeds are exported" in mix and "with the seeds 42, 123" in mix
    assert "mix with boosting: this model |" in mix
    for text in (boosting, mix, card(facts, CandidateKind.NETWORK, age=True)):
        assert "needs the engine's record from its first cycle on" in text
    plain = card(facts, CandidateKind.NETWORK)
    assert "first cycle" not in plain and "### History" not in plain
    seen = card(facts, CandidateKind.NETWORK, age=True, deviation=20, ewma=(0.1, 0.03), pool=5, drop_settings=True)
    assert (
        "- `age = true`: cycles since the first record" in seen
        and "- `deviation = 20`: each sensor less its mean over the engine's first 20 cycles" in seen
        and "- `ewma = [0.1, 0.03]`: each sensor's exponentially weighted mean" in seen
        and "- `pool = 5`: a step of the window is the mean of 5 cycles" in seen
        and "- `drop_settings = true`: the operating settings themselves are left out" in seen
    )
    assert "`deviation" not in card(facts, CandidateKind.NETWORK, age=True)
    assert "tuned network (trial 7): this model |" in seen


@pytest.mark.parametrize(("kind", "choice"), [(kind, choice) for kind in KINDS for choice in KINDS])
def test_the_card_of_what_was_not_chosen_says_so_at_the_top(kind: CandidateKind, choice: CandidateKind) -> None:
    facts = facts_of(look(choice))
    text = card(facts, kind)
    protocol = text.split("## Protocol")[1].split("## Use")[0]
    asked = f"Exported on request; the validation engines chose {sentences.chosen_name(facts['promotion']['choice'])}."
    assert (asked in text.split("## Figures")[0]) == (kind != choice)
    claims = ("chose it among", "and the mix among", "chose configuration, epoch")
    assert any(claim in protocol for claim in claims) == (kind == choice)


def test_the_card_of_another_trial_and_of_one_that_was_not_scored() -> None:
    facts = facts_of(look(CandidateKind.NETWORK))["promotion"]
    metrics = json.loads(json_text(facts | {"kind": "network", "by_seed": {"42": {}}}))
    config = RunConfig(dataset="FD001")
    other = model_card(config, {"study": "tiny", "trial": 9}, metrics)
    assert "**Exported on request; the validation engines chose the tuned network (trial 7).**" in other
    assert "with the seed 42. The validation engines chose its epoch. " in other
    unscored = model_card(config, {"trial": 9}, {"kind": "network", "looks_at_test": 0, "by_seed": {"1": {}, "2": {}}})
    assert "Exported on request; the test engines have not scored it." in unscored
    assert "The validation engines chose its epoch and seed (42 is exported)." in unscored
    own = model_card(config, {"study": "tiny", "trial": 7}, metrics)
    assert "on request" not in own and "chose configuration and epoch. " in own


def test_one_seed_is_not_told_of_in_the_plural() -> None:
    facts = facts_of(look(CandidateKind.MIX, seeds=1))["promotion"]
    metrics = json.loads(json_text(facts | {"kind": "mix", "by_seed": {"42": {}}}))
    text = model_card(RunConfig(dataset="FD001"), {"study": "tiny", "trial": 7}, metrics)
    assert "with the seed 42." in text
    assert "seeds'" not in text and "all seeds" not in text and "rul_mean" not in text and "networks'" not in text


@pytest.mark.parametrize(
    ("epochs", "told"),
    [
        ({"42": 15, "123": 18, "456": 15}, "was trained for at most 20 epochs (stopped after 15, 18 and 15) with the"),
        ({"42": 20, "123": 12}, "was trained for at most 20 epochs (stopped after 20 and 12) with the"),
        ({"42": 12}, "was trained for at most 20 epochs (stopped after 12) with the"),
        ({"42": 20, "123": 20}, "was trained for 20 epochs with the"),
        (None, "was trained for 20 epochs with the"),
    ],
)
def test_the_card_says_how_long_each_seed_was_trained(epochs: dict[str, int] | None, told: str) -> None:
    metrics = {"kind": "network", "by_seed": {"42": {}, "123": {}}} | ({"epochs_by_seed": epochs} if epochs else {})
    assert told in model_card(RunConfig(dataset="FD001", epochs=20), {"trial": 7}, metrics)


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_s_code_names_the_data_set_and_can_be_compiled(kind: CandidateKind) -> None:
    metrics = {"kind": kind, "by_seed": {"42": {}, "123": {}}}
    config = RunConfig(dataset="FD003", loss="rul_only")
    text = model_card(config, {"trial": 7, "condition_distance": 4.625}, metrics)
    assert "amnl-tune predict THIS_FOLDER test_FD003.txt" in text and "FD001" not in text
    python, onnx = (
        dedent(part.split("\n\n", 1)[1].split("\n\n" + after)[0])
        for part, after in (
            (text.split("From Python:")[1], "One row"),
            (text.split("Without amnl-tune")[1], "`sha256sum"),
        )
    )
    for code, needed in ((python, "from pathlib import Path"), (onnx, "import onnxruntime")):
        compile(code, "card", "exec")
        assert needed in code
    assert "the largest among the training engines is 4.62" in text
    since = "since the chosen loss trains no health class" in text
    assert since == (kind is not CandidateKind.BOOSTING)


def test_who_looked_after_every_epoch_is_told_to_every_study_of_these_engines() -> None:
    told = {"looks_at_test": 1, "looks": {"number": 1, "total": 1, "by_study": {"a": 1}, "after_every_epoch": ["b"]}}
    assert sentences.looks(told, study="a") == "scored once, and after every epoch by b"
    (warning,) = sentences.warnings({"dataset": "FD001", "study": "a", "promotion": told})
    assert warning == "Looked at again. Scored once, and after every epoch by b."


def test_a_suggestion_outside_of_the_space_is_told_as_moved() -> None:
    assert sentences.range_test_rule("steepest", 2e-6, 1e-4) == "steepest, moved into the space"
    assert sentences.range_test_rule("steepest", 1e-3, 1e-3) == sentences.range_test_rule("steepest", None, None)
