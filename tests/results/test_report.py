import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pandas as pd
import pytest

from amnl_tune.database.engine import Ledger
from amnl_tune.database.optuna_storage import open_storage
from amnl_tune.ledger.range_tests import find_range_test
from amnl_tune.ledger.studies import find_study
from amnl_tune.results import engine_figures, figures, frames, gallery
from amnl_tune.results.facts import summarize
from amnl_tune.results.frames import engines_frame
from amnl_tune.results.report import write_report
from amnl_tune.results.sentences import answer
from amnl_tune.search.opening import Workspace, open_study

if TYPE_CHECKING:
    Finished = Any


def test_frames_tell_what_the_ledger_holds(finished: "Finished") -> None:
    trials = frames.trials_frame(find_study(finished.ledger, "tiny"))
    assert list(trials["slot"]) == [0, 1, 2, 3]
    assert set(trials["status"]) == {"complete"}
    assert "learning_rate" in trials
    assert "window" not in trials
    epochs = frames.epochs_frame(find_study(finished.ledger, "tiny"))
    assert epochs.groupby("trial")["number"].apply(list).tolist() == [[1, 2, 3]] * 4
    best = epochs.groupby("trial")["validation_rmse"].min()
    assert trials.set_index("trial")["value"].to_dict() == pytest.approx(best.to_dict(), rel=1e-5)
    promoted = frames.epochs_frame(find_study(finished.ledger, "tiny"), promotion=1)
    assert promoted["number"].max() == 4
    assert set(promoted["seed"]) == {42, 123}


def test_the_history_s_best_follows_complete_trials_only() -> None:
    trials = pd.DataFrame(
        {
            "trial": [1, 0, 2, 3],
            "value": [9.0, 20.0, 15.0, None],
            "status": ["pruned", "complete", "complete", "fail"],
            "epochs_done": [3, 20, 20, 1],
        }
    )
    history = frames.history_frame(trials)
    assert list(history["trial"]) == [0, 1, 2]
    assert list(history["best"]) == [20.0, 20.0, 15.0]
    assert list(history["epochs_spent"]) == [20, 23, 43]


def test_figures_show_their_frames(finished: "Finished") -> None:
    history = frames.history_frame(frames.trials_frame(find_study(finished.ledger, "tiny")))
    drawn = figures.history_figure(history)
    assert list(drawn.data[0].y) == list(history["value"])
    curves = figures.learning_curves_figure(frames.epochs_frame(find_study(finished.ledger, "tiny")))
    assert len(curves.data) == 4
    engines = engines_frame(finished.scores)
    assert engines["true"].is_monotonic_decreasing
    assert list(engine_figures.prediction_figure(engines).data[1].y) == list(engines["predicted"])
    key = find_study(finished.ledger, "tiny").row.range_test_key
    assert key is not None
    test = find_range_test(finished.ledger, key)
    assert test is not None
    marked = [trace.x[0] for trace in figures.range_test_figure(test).data[1:]]
    assert marked == [rate for rate in test.suggested.values() if rate is not None]


def test_the_report_is_one_offline_file_with_the_answer(finished: "Finished", tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(find_study(finished.ledger, "tiny"), path)
    page = path.read_text()
    assert path.stat().st_size < 6_000_000
    assert f"{finished.scores.winner.test_rmse:.2f}" in page
    assert "Simulated data." in page
    assert "Is &lt;b&gt;this&lt;/b&gt; escaped?" in page
    assert "<b>this</b>" not in page
    assert "at most 4 epochs, seeds" in page
    assert page.count('<section class="drawn">') == 16
    assert "predict time (all test engines)" in page
    assert " suggested " in page and "; searched " in page
    assert page.count('class="plotly-graph-div"') == 16
    assert 'src="http' not in page


def test_a_study_without_trials_has_a_report_that_says_so(finished: "Finished", tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(Workspace(ledger, finished.source, finished.artifacts), finished.spec, device="cpu")
    write_report(find_study(ledger, "tiny"), tmp_path / "r.html")
    assert "No trial has completed yet." in (tmp_path / "r.html").read_text()
    ledger.close()


def test_importance_needs_complete_trials_and_optuna_s_study(finished: "Finished", tmp_path: Path) -> None:
    importance = frames.importance_frame(find_study(finished.ledger, "tiny"))
    assert set(importance["setting"]) == {"learning_rate", "batch_size", "hidden_size"}
    assert importance["importance"].is_monotonic_decreasing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few trials
        page = optuna.load_study(study_name="tiny", storage=open_storage(finished.ledger))
        assert optuna.importance.get_param_importances(page) == dict(importance.itertuples(index=False))
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(Workspace(ledger, finished.source, finished.artifacts), finished.spec, device="cpu")
    assert frames.importance_frame(find_study(ledger, "tiny")).empty
    optuna.delete_study(study_name="tiny", storage=open_storage(ledger))
    assert frames.importance_frame(find_study(ledger, "tiny")).empty
    ledger.close()


def test_the_answer_in_words(finished: "Finished") -> None:
    facts = summarize(find_study(finished.ledger, "tiny"))
    promotion = facts["promotion"]
    assert answer(facts).startswith(promotion["against_boosting"]["words"])
    assert "The validation engines chose " in answer(facts)
    before = promotion | {"against_boosting": None}
    assert answer(facts | {"promotion": before}).startswith("The validation engines chose ")
    assert "has not been promoted, so no test engine has been looked at" in answer(facts | {"promotion": None})


def test_of_many_trials_the_best_and_an_even_sample_are_drawn(
    finished: "Finished", monkeypatch: pytest.MonkeyPatch
) -> None:
    epochs = frames.epochs_frame(find_study(finished.ledger, "tiny"))
    best = frames.best_epochs(find_study(finished.ledger, "tiny"))
    assert best.to_dict() == epochs.groupby("trial")["validation_rmse"].min().to_dict()
    assert best.is_monotonic_increasing
    assert gallery._few_trials(best) is None
    monkeypatch.setattr(gallery, "MOST_CURVES", 2)
    few = gallery._few_trials(best)
    assert few == [best.index[0], best.index[1]]
    some = frames.epochs_frame(find_study(finished.ledger, "tiny"), trials=few)
    assert some.equals(epochs[epochs["trial"].isin(few)].reset_index(drop=True))


def test_studies_are_listed_and_shown_without_torch_scipy_and_pandas(finished: "Finished") -> None:
    """A promoted and scored one, too."""
    program = (
        "import sys; from amnl_tune.cli.app import app\n"
        "for words in (['study', 'list'], ['study', 'show', 'tiny'], ['study', 'show', 'tiny', '--json']):\n"
        "    try: app(words)\n"
        "    except SystemExit as end: assert not end.code, end.code\n"
        "assert not {'torch', 'scipy', 'sklearn', 'pandas', 'plotly', 'onnxruntime'} & set(sys.modules)"
    )
    environment = os.environ | {"AMNL_TUNE_STORAGE": finished.ledger.url.render_as_string()}
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL, env=environment, timeout=300)
