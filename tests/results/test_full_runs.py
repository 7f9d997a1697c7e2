"""What is said of full runs that early stopping ended, and of those that it should have ended."""

import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from sqlalchemy import select, update

from amnl_tune.cli.summary import print_summary
from amnl_tune.database.models import EpochRow, RunRow
from amnl_tune.ledger.studies import find_study
from amnl_tune.results import sentences
from amnl_tune.results.export.bundle import load_bundle
from amnl_tune.results.export.card import model_card
from amnl_tune.results.facts import full_runs, summarize
from amnl_tune.results.report import report_page
from amnl_tune.results.training_sentences import stopped_early, trained_too_long

if TYPE_CHECKING:
    Finished = Any


def run(trial: int = 7, *, best: int = 22, last: int = 100, end: float = 17.6, seconds: float = 2.0) -> dict[str, Any]:
    return {
        "trial": trial, "seed": 42, "last_epoch": last, "allowed_epochs": 100, "best_epoch": best, "best_rmse": 14.6,
        "last_rmse": end, "seconds": seconds,
    }  # fmt: skip


def test_a_run_that_was_best_long_ago_is_told_with_the_remedy() -> None:
    assert trained_too_long([run(3, end=30.0), run(7), run(7, best=90)], winner=7) == (
        "Trained too long. Trial 7 with seed 42 was best in epoch 22 of 100 (14.60 cycles on the validation engines, "
        "17.60 at the end), and 1 more of 3 full runs likewise; the best epoch's weights are used. Set `patience = 15` "
        "or fewer `epochs` under `[promotion]`."
    )
    short = {**run(best=2, last=16), "allowed_epochs": 16}
    assert trained_too_long([short], winner=7).endswith("are used. Set fewer `epochs` under `[promotion]`.")
    assert "Trial 3 " in trained_too_long([run(3, end=30.0), run(7)], winner=None)


@pytest.mark.parametrize(
    "fine", [run(best=60), run(end=14.9), run(best=22, last=37), run(best=100, end=14.6), run(best=51)]
)
def test_noise_late_optima_and_stopped_runs_are_no_case(fine: dict[str, Any]) -> None:
    assert trained_too_long([fine], winner=7) == ""
    assert trained_too_long([], winner=None) == ""


def test_what_early_stopping_spared() -> None:
    assert stopped_early([run(), run(best=99)]) == ""
    assert stopped_early([run(), run(best=22, last=37), run(last=60, seconds=4.0)]) == (
        "Early stopping ended 2 of 3 full runs: 103 of 300 epochs were not run, 36% of the time that all of them take."
    )


def test_every_place_says_it(finished: "Finished") -> None:
    """Summary, report and card of a promotion whose records are made to overfit, or to have stopped early."""
    known = full_runs(find_study(finished.ledger, "tiny"), finished.scores.promotion)
    assert {(one["seed"], one["last_epoch"], one["allowed_epochs"]) for one in known} == {(42, 4, 4), (123, 4, 4)}
    assert all(1 <= one["best_epoch"] <= 4 and one["best_rmse"] <= one["last_rmse"] for one in known)
    before = _epochs(finished)
    try:
        with finished.ledger.write() as session:
            promoted = select(RunRow.id).where(RunRow.promotion == 1)
            session.execute(
                update(EpochRow).where(EpochRow.run.in_(promoted)).values(validation_rmse=10 + EpochRow.number)
            )
        facts = summarize(find_study(finished.ledger, "tiny"))
        said = "was best in epoch 1 of 4 (11.00 cycles on the validation engines, 14.00 at the end)"
        report = report_page(find_study(finished.ledger, "tiny"))
        bundle = load_bundle(finished.bundle)
        card = model_card(bundle.config, bundle.provenance, dict(bundle.metrics) | facts["promotion"])
        for text in (_printed(facts), report, card):
            assert said in " ".join(text.split())
    finally:
        _put_back(finished, before)
    stopped = facts["promotion"] | {"full_runs": [run(last=40)]}
    assert stopped_early([run(last=40)]) in sentences.notes(stopped)
    assert not any("too long" in warning for warning in sentences.warnings(facts | {"promotion": stopped}))


def test_an_export_tells_of_its_own_runs(finished: "Finished") -> None:
    metrics = load_bundle(finished.bundle).metrics
    assert [(one["trial"], one["seed"]) for one in metrics["full_runs"]] == [
        (finished.scores.winner.trial_number, seed) for seed in (42, 123)
    ]


def _epochs(finished: "Finished") -> dict[tuple[int, int], float | None]:
    with finished.ledger.read() as session:
        return {(row.run, row.number): row.validation_rmse for row in session.scalars(select(EpochRow))}


def _put_back(finished: "Finished", known: dict[tuple[int, int], float | None]) -> None:
    with finished.ledger.write() as session:
        for row in session.scalars(select(EpochRow)):
            row.validation_rmse = known[row.run, row.number]


def _printed(facts: dict[str, Any]) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_summary(console, facts)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
