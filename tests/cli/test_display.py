"""What is seen of a study while it runs and after it was stopped, in 80 columns and without a terminal."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from amnl_tune.cli import display, summary
from amnl_tune.cli.app import app
from amnl_tune.cli.display import watching
from amnl_tune.dashboard.notes import study_note
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import RunStatus
from amnl_tune.database.schema import upgrade
from amnl_tune.ledger.progress import Progress, RunView, WorkerView
from amnl_tune.ledger.studies import freeze
from amnl_tune.studies.study_file import parse_study_spec

LONG = "a_name_of_the_longest_kind_" + "x" * 60 + "_end"


def view(number: int, status: RunStatus, done: int) -> RunView:
    return RunView(number, 1, number, "published defaults", 1024, status, done, 100, 14.2, None)


RUNS = view(0, RunStatus.COMPLETE, 100), view(1, RunStatus.PRUNED, 10), view(2, RunStatus.RUNNING, 33)
WORKER = WorkerView("w1", "a-host-with-a-long-name.example.org/4026531836", 1234567, "cpu", 1, RUNS[2])
NOW = Progress(RUNS, 15, (WORKER,), RUNS[0], 3723.0)


def test_epochs_are_counted_those_to_come_included() -> None:
    assert (NOW.epochs_done, NOW.epochs_in_all) == (143, 100 + 10 + 100 + 12 * 100)
    nothing = Progress((), 15, (), None, None)
    assert (nothing.epochs_done, nothing.epochs_in_all) == (0, 0)


def test_80_columns_hold_the_bar_and_all_facts() -> None:
    out = io.StringIO()
    with watching(Console(file=out, width=80, force_terminal=True, color_system=None), "promotion") as watch:
        watch(Progress((), 15, (), None, None))
        watch(NOW)
    shown = out.getvalue().replace("\n", " ")
    assert all(len(line) <= 80 for line in out.getvalue().splitlines())
    assert "143 of 1410 epochs" in shown
    assert display._epochs(Progress((), 15, (), None, None)) == "nothing has begun yet"
    assert "━" in shown
    for told in ("1 complete, 1 pruned, 0 failed", "best 14.20", "1:02:03 left", "33/100", "1234567"):
        assert told in shown


def test_without_a_terminal_a_minute_is_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    out, now = io.StringIO(), 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    with watching(Console(file=out, width=80), "promotion") as watch:
        for _ in range(10 * 60 * 2):  # ten minutes at two looks a second
            watch(NOW)
            now += 0.5
        ended = replace(RUNS[2], status=RunStatus.COMPLETE, epochs_done=100)
        watch(replace(NOW, runs=(*RUNS[:2], ended)))
    lines = out.getvalue().splitlines()
    assert lines[0] == "promotion: 2 of 15 done"
    assert [line[:60] for line in lines[1:-1]] == [
        "promotion: 143 of 1410 epochs, 2 of 15 runs done [1 complete"[:60]
    ] * 9
    assert lines[-1].startswith("promotion: promotion of trial 2, seed 1024 complete after 100 epochs")


@pytest.fixture
def ledger(tmp_path: Path, tiny_study: str) -> Ledger:
    url = f"sqlite:///{tmp_path / 'amnl_tune.db'}"
    upgrade(url)
    opened = Ledger(url)
    for name in ("tiny", LONG):
        freeze(opened, parse_study_spec(tiny_study, name=name), "ab" * 32)
    return opened


def said(*words: str) -> str:
    result = CliRunner(env={"COLUMNS": "80"}).invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_shows_whole_names_in_80_columns(ledger: Ledger) -> None:
    ledger.close()
    lines = said("study", "list").splitlines()
    assert max(map(len, lines)) <= 80
    assert LONG in "".join(line.partition(" ")[0] for line in lines)
    assert "…" not in "".join(lines)


def test_a_stopped_study_says_so_everywhere(ledger: Ledger, tmp_path: Path) -> None:
    assert "stopped" not in said("study", "list") + said("study", "show", "tiny").lower()
    assert "open" in said("study", "list")
    said("study", "stop", "tiny")
    assert [line.split()[-1] for line in said("study", "list").splitlines() if line.startswith("tiny")] == ["stopped"]
    shown = " ".join(said("study", "show", "tiny").split())
    assert "Stopped. Nobody works on the study since " in shown
    assert "`amnl-tune study resume tiny` lets it go on" in shown
    note = study_note(ledger, "tiny", optuna_id=1)
    assert "Stopped" in note
    assert "study resume tiny" in note
    said("report", "tiny", "--out", str(tmp_path / "tiny.html"))
    assert '<p class="warning"><b>Stopped.</b>' in (tmp_path / "tiny.html").read_text()
    said("study", "resume", "tiny")
    assert "Stopped" not in study_note(ledger, "tiny", optuna_id=1)
    assert "Stopped" not in said("study", "show", "tiny")
    ledger.close()


def test_before_the_search_is_over_nobody_is_sent_to_the_promotion(ledger: Ledger) -> None:
    ledger.close()
    shown = " ".join(said("study", "show", "tiny").split())
    assert "not promoted yet: 4 of 4 trials are left; when the search is over, run `amnl-tune promote tiny`" in shown


def test_intervals_are_whole_in_80_columns() -> None:
    row = {
        "name": "published defaults", "trial": 0, "chosen": False, "kind": "network", "validation_rmse": 141.96,
        "test_rmse": 145.4, "test_rmse_low": 120.6, "test_rmse_high": 166.9, "nasa_score": 39186.0,
        "nasa_score_low": 162.0, "nasa_score_high": 11616800.0, "seeds": 1, "fit_seconds": 688.0,
        "predict_seconds": 0.01, "against_choice": {"words": "+26.94 [-110.62, 146.29], fewer than 3 seeds"},
    }  # fmt: skip
    out = io.StringIO()
    Console(file=out, width=80).print(summary._candidates([row, {**row, "chosen": True}], "Promoted"))
    assert max(map(len, out.getvalue().splitlines())) <= 80
    for end in ("[-110.62,", "146.29]", "[120.6,", "166.9]", "[162,", "11616800]", "3 seeds", "the choice"):
        assert end in out.getvalue()
