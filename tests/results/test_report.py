import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import optuna_dashboard
import pandas as pd
import pytest
from sqlalchemy import Engine, event

from amnl_tune.errors import StorageError, StudyError
from amnl_tune.results import figures, frames
from amnl_tune.results.dashboard import annotate, dashboard_app, serve
from amnl_tune.results.report import answer, write_report
from amnl_tune.results.summary import summarize
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.opening import open_study
from amnl_tune.search.range_test import find_range_test
from amnl_tune.search.trials import open_storage

if TYPE_CHECKING:
    Finished = Any


def test_frames_tell_what_the_ledger_holds(finished: "Finished") -> None:
    trials = frames.trials_frame(finished.ledger, "tiny")
    assert list(trials["slot"]) == [0, 1, 2, 3]
    assert set(trials["status"]) == {"complete"}
    assert "learning_rate" in trials
    assert "window" not in trials
    epochs = frames.epochs_frame(finished.ledger, "tiny")
    assert epochs.groupby("trial")["number"].apply(list).tolist() == [[1, 2, 3]] * 4
    best = epochs.groupby("trial")["validation_rmse"].min()
    assert trials.set_index("trial")["value"].to_dict() == pytest.approx(best.to_dict(), rel=1e-5)
    promoted = frames.epochs_frame(finished.ledger, "tiny", promotion=1)
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
    history = frames.history_frame(frames.trials_frame(finished.ledger, "tiny"))
    drawn = figures.history_figure(history)
    assert list(drawn.data[0].y) == list(history["value"])
    curves = figures.learning_curves_figure(frames.epochs_frame(finished.ledger, "tiny"))
    assert len(curves.data) == 4
    engines = frames.test_frame(finished.scores)
    assert engines["true"].is_monotonic_decreasing
    assert list(figures.prediction_figure(engines).data[1].y) == list(engines["predicted"])
    key = find_study(finished.ledger, "tiny").range_test_key
    assert key is not None
    test = find_range_test(finished.ledger, key)
    assert test is not None
    marked = [trace.x[0] for trace in figures.range_test_figure(test).data[1:]]
    assert marked == [rate for rate in test.suggested.values() if rate is not None]


def test_the_report_is_one_offline_file_with_the_answer(finished: "Finished", tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(finished.ledger, "tiny", path)
    page = path.read_text()
    assert path.stat().st_size < 6_000_000
    assert f"{finished.scores.winner.test_rmse:.2f}" in page
    assert "Simulated data." in page
    assert "Is &lt;b&gt;this&lt;/b&gt; escaped?" in page
    assert "<b>this</b>" not in page
    assert page.count('class="plotly-graph-div"') == 7
    assert 'src="http' not in page


def test_a_study_without_trials_has_a_report_that_says_so(finished: "Finished", tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(ledger, finished.spec, finished.source, finished.artifacts, device="cpu")
    write_report(ledger, "tiny", tmp_path / "r.html")
    assert "No trial has completed yet." in (tmp_path / "r.html").read_text()
    annotate(ledger, "tiny")
    ledger.close()


def test_importance_needs_complete_trials_and_optuna_s_study(finished: "Finished", tmp_path: Path) -> None:
    importance = frames.importance_frame(finished.ledger, "tiny")
    assert set(importance["setting"]) == {"learning_rate", "batch_size", "hidden_size"}
    assert importance["importance"].is_monotonic_decreasing
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(ledger, finished.spec, finished.source, finished.artifacts, device="cpu")
    assert frames.importance_frame(ledger, "tiny").empty
    optuna.delete_study(study_name="tiny", storage=open_storage(ledger))
    assert frames.importance_frame(ledger, "tiny").empty
    with pytest.raises(StudyError, match=r"deleted or renamed in the dashboard; rename it back"):
        annotate(ledger, "tiny")
    ledger.close()


def test_a_note_of_the_user_s_own_stays(finished: "Finished", tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(ledger, finished.spec, finished.source, finished.artifacts, device="cpu")
    page = optuna.load_study(study_name="tiny", storage=open_storage(ledger))
    annotate(ledger, "tiny")
    assert "No trial has completed yet." in optuna_dashboard.get_note(page)
    optuna_dashboard.save_note(page, optuna_dashboard.get_note(page).replace("No trial", "Not one trial"))
    annotate(ledger, "tiny")
    assert "No trial has completed yet." in optuna_dashboard.get_note(page)
    optuna_dashboard.save_note(page, "Ask Ada first.")
    annotate(ledger, "tiny")
    assert optuna_dashboard.get_note(page) == "Ask Ada first."
    ledger.close()


def test_a_read_only_database_refuses_notes_in_one_line(finished: "Finished", tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(ledger, finished.spec, finished.source, finished.artifacts, device="cpu")

    @event.listens_for(Engine, "connect")
    def forbid_writing(connection: Any, _: object) -> None:
        connection.execute("pragma query_only = on")

    try:
        with pytest.raises(StorageError, match="must answer, but: attempt to write a readonly database"):
            annotate(ledger, "tiny")
    finally:
        event.remove(Engine, "connect", forbid_writing)
        ledger.close()


def test_the_answer_in_words(finished: "Finished") -> None:
    facts = summarize(finished.ledger, "tiny")
    assert answer(facts).startswith(f"Trial {finished.scores.winner.trial_number}, trained at full length, predicts")
    assert "has not been promoted, so no test engine has been looked at" in answer(facts | {"promotion": None})


def test_the_dashboard_serves_the_study_with_its_note_and_figures(finished: "Finished") -> None:
    annotate(finished.ledger, "tiny")
    annotate(finished.ledger, "tiny")
    urls: list[str] = []
    ready, stop = threading.Event(), threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        ready.set()

    app = dashboard_app(finished.ledger)
    server = threading.Thread(target=serve, args=(app, 0), kwargs={"ready": note, "stop": stop})
    server.start()
    try:
        assert ready.wait(30)
        assert urls[0].startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{urls[0]}api/studies", timeout=30) as answered:
            assert b'"tiny"' in answered.read()
        with urllib.request.urlopen(f"{urls[0]}api/studies/1?after=0", timeout=30) as answered:
            page = answered.read()
        assert page.count(b"amnl-history") == 1
        assert b"amnl-lr-range-test" in page
        foreign = urllib.request.Request(f"{urls[0]}api/studies", headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(foreign, timeout=30)
        with pytest.raises(StorageError, match="`--port` must be free"):
            serve(app, int(urls[0].rsplit(":", 1)[1].strip("/")), ready=note)
    finally:
        stop.set()
        server.join()
