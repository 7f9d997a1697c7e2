"""Studies side by side."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from amnl_tune.cli.app import app
from amnl_tune.results.side_by_side import comparison_frame, progress_figure, progress_frame, shown

if TYPE_CHECKING:
    Finished = Any


def test_what_is_compared_is_what_was_measured(finished: "Finished") -> None:
    frame = comparison_frame(finished.ledger, ["tiny"])
    (row,) = frame.to_dict("records")
    scores = finished.scores
    assert (row["study"], row["dataset"], row["trials"]) == ("tiny", "SIM1", 4)
    assert row["test_rmse"] == scores.winner.test_rmse
    assert (row["test_rmse_low"], row["test_rmse_high"]) == (
        scores.comparison.winner_rmse.low,
        scores.comparison.winner_rmse.high,
    )
    assert row["verdict"] == scores.comparison.words
    assert (row["choice"], row["choice_test_rmse"]) == (scores.choice, scores.chosen.test_rmse)
    assert row["boosting_test_rmse"] == scores.rivals[0].test_rmse
    assert " than gradient boosting on history statistics: " in row["against_boosting"]
    verdict = shown(frame)[0][-1]
    assert "The tuned network against the published defaults: " in verdict or "The published defaults are" in verdict
    assert "The validation engines chose gradient boosting" in verdict or "against the choice (" in verdict
    assert verdict.endswith(".") and ".." not in verdict
    assert shown(frame)[0][1] == "SIM1 (simulated)"
    assert shown(frame)[0][5].startswith(f"{scores.winner.test_rmse:.2f} [")


def test_the_running_best_of_each_study_against_its_epochs(finished: "Finished") -> None:
    progress = progress_frame(finished.ledger, ["tiny"])
    assert progress["best"].is_monotonic_decreasing
    assert progress["epochs_spent"].tolist() == [3, 6, 9, 12]
    (line,) = progress_figure(progress).data
    assert (line.name, list(line.y)) == ("tiny", progress["best"].tolist())


def test_the_command_writes_a_page_and_names_an_unknown_study(finished: "Finished", tmp_path: Path) -> None:
    storage = ["--storage", finished.ledger.url.render_as_string()]
    out = tmp_path / "compare.html"
    done = CliRunner().invoke(app, ["compare", "tiny", "--json", "--out", str(out), *storage])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["test_rmse"] == pytest.approx(finished.scores.winner.test_rmse)
    assert finished.scores.comparison.words in out.read_text()
    assert "Simulated data." in out.read_text()
    assert out.stat().st_size < 6e6
    table = CliRunner().invoke(app, ["compare", "tiny", *storage], env={"COLUMNS": "80"}).stdout
    assert max(map(len, table.splitlines())) <= 80
    assert "boosting\n" in table.replace(" ", "\n") and f"{finished.scores.rivals[0].test_rmse:.2f}" in table
    refused = CliRunner().invoke(app, ["compare", "tiny", "nope", *storage])
    assert (refused.exit_code, "nope" in refused.stderr) == (2, True)
