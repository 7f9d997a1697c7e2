"""What is said of a promotion: the first sentence, the looks, and no first place inside the noise."""

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from amnl_tune.cli.summary import print_summary
from amnl_tune.files import json_text
from amnl_tune.results import sentences
from amnl_tune.results.dashboard.study_page import _promotion
from amnl_tune.results.leaderboard import against_boosting, leaderboard
from amnl_tune.results.model_card import model_card
from amnl_tune.results.report_tables import scored
from amnl_tune.search.bootstrap import Estimate
from amnl_tune.search.comparison import Margin
from amnl_tune.search.judging import judged
from amnl_tune.search.scores import CandidateKind, CandidateScore, TestScores
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
            "epochs": 1, "best_trials": [], "lr_range_test": None, "failures": []}  # fmt: skip


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
        (3.0, 2, "is not established better than gradient boosting on history statistics: "),
        (30.0, 3, "is worse than gradient boosting on history statistics: "),
    ],
)
@pytest.mark.parametrize("choice", KINDS)
def test_the_first_sentence_says_whether_boosting_is_beaten(
    choice: CandidateKind, noise: float, seeds: int, said: str
) -> None:
    facts = facts_of(look(choice, noise=noise, seeds=seeds))
    answer = sentences.answer(facts)
    assert answer.startswith(f"The tuned network (trial 7) {said}12.0 against ")
    assert ("fewer than 3 seeds" in answer.split(").")[0]) == (seeds < 3)
    words = facts["promotion"]["against_boosting"]["words"]
    assert answer.startswith(words + " The validation engines chose ")
    assert words in card(facts, choice)
    flat = " ".join(printed(facts).split())
    assert words in flat
    assert "The network against the published defaults (16.00 cycles): " in flat
    assert "Always predicting the mean gives 40.00 and 10000." in flat


def test_the_example_of_the_verdict_that_must_not_be() -> None:
    margin = Margin(Estimate(0.8, -0.6, 2.3), 0.95, (5, None))
    words = sentences.network_against_boosting("The tuned network (trial 7)", 9.8, 10.6, margin)
    assert words == (
        "The tuned network (trial 7) is not established better than gradient boosting on history statistics: "
        "9.8 against 10.6 cycles (difference +0.8 [-0.6, 2.3])."
    )
    assert sentences.against_choice(margin) == "+0.8 [-0.6, 2.3], not told apart"
    assert sentences.against_choice(replace(margin, seeds=(2, None), difference=Estimate(3.0, 1.0, 5.0))) == (
        "+3.0 [1.0, 5.0], not told apart"
    )
    assert sentences.against_choice(replace(margin, difference=Estimate(3.0, 1.0, 5.0))) == "+3.0 [1.0, 5.0]"
    assert sentences.network(0, published=True) == "The best network (trial 0, the published defaults)"


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
    table, page, note = printed(facts), scored(facts), _promotion(facts)
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
    assert "The plain mean of two models' RUL" in mix
    assert "all seeds are exported" in mix and "with the seeds 42, 123" in mix
    assert "mix with boosting: this model |" in mix
    for text in (boosting, mix, card(facts, CandidateKind.NETWORK, age=True)):
        assert "needs the engine's record from its first cycle on" in text
    plain = card(facts, CandidateKind.NETWORK)
    assert "first cycle" not in plain and "### History" not in plain
    seen = card(facts, CandidateKind.NETWORK, age=True, deviation=20, ewma=(0.1, 0.03), pool=5, drop_settings=True)
    assert (
        "Channels of the network's input: `age = true`, `deviation = 20`, `ewma = [0.1, 0.03]`, `pool = 5`, "
        "`drop_settings = true`." in seen
    )
    assert "tuned network (trial 7): this model |" in seen
