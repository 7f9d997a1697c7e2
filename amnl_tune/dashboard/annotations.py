"""Notes and figures of ours in what the stock application tells of a study.

They are put into the answer, not into the database: always as the ledger is now, at no cost while nobody looks, and no
burden to workers, who read all of a study's notes whenever they read its attributes.
"""

import json
import re
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from sqlalchemy import func, select

from amnl_tune.artifacts import Artifacts
from amnl_tune.dashboard.http import Answer, Environ, StartResponse, WsgiApp, answered
from amnl_tune.dashboard.notes import study_figures, study_note
from amnl_tune.dashboard.trial_notes import trial_notes
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import RunRow
from amnl_tune.errors import AmnlTuneError
from amnl_tune.ledger.studies import study_names
from amnl_tune.results.gallery import PREFIX

OURS = "*Kept up to date by amnl-tune until this line is taken out.*"
NOTE_SECONDS = 5.0
"""For which a study's note holds: it adds up all epochs (half a second for 2,000 trials)."""

REST = 10.0
"""Times as long as drawing them took, a study's figures hold though trials end: a large study's take seconds."""

DETAIL = re.compile(r"/api/studies/(\d+)/?")


def annotated(app: WsgiApp, ledger: Ledger, artifacts: Artifacts) -> WsgiApp:
    """The application, its studies with our notes and figures. A note of the user's own stays as it is."""
    ours = _Ours(ledger, artifacts)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        match = DETAIL.fullmatch(environ["PATH_INFO"])
        if not match or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return app(environ, start_response)
        answer = answered(app, environ)
        if answer.status == HTTPStatus.OK:
            page = json.loads(answer.body)
            with suppress(AmnlTuneError):  # a page without our notes is still worth seeing
                ours.add(page, int(match[1]), environ["SCRIPT_NAME"])
            answer = Answer(answer.status, json.dumps(page).encode(), answer.headers)
        return answer(environ, start_response)

    return application


@dataclass
class _Ours:
    """Adds to what the stock application tells of a study; every open page asks for it every few seconds.

    A study's note is kept for a moment, its figures until a trial has changed.
    """

    ledger: Ledger
    artifacts: Artifacts
    _told: dict[str, tuple[float, str]] = field(default_factory=dict)
    _drawn: dict[str, "_Drawn"] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, page: dict[str, Any], optuna_id: int, prefix: str) -> None:
        """Notes and figures, if the study is one of ours."""
        study = page["name"]
        if study not in study_names(self.ledger):
            return
        page["note"] = _noted(page["note"], self._note(study, optuna_id, prefix))
        trials = [*page["trials"], *page["best_trials"]]
        notes = trial_notes(self.ledger, self.artifacts, study, {trial["number"] for trial in trials}, prefix=prefix)
        for trial in trials:
            if trial["number"] in notes:
                trial["note"] = _noted(trial["note"], notes[trial["number"]])
                trial["user_attrs"] = _without_config(trial["user_attrs"])
        page["union_user_attrs"] = _without_config(page["union_user_attrs"])
        others = [drawn for drawn in page["plotly_graph_objects"] if not drawn["id"].startswith(PREFIX)]
        page["plotly_graph_objects"] = self._figures(study) + others

    def _note(self, study: str, optuna_id: int, prefix: str) -> str:
        until, note = self._told.get(study, (0.0, ""))
        if until < time.monotonic():
            note = study_note(self.ledger, study, optuna_id=optuna_id, prefix=prefix)
            self._told[study] = time.monotonic() + NOTE_SECONDS, note
        return note

    def _figures(self, study: str) -> list[dict[str, str]]:
        """As the stock application tells them."""
        with self.ledger.read() as session:
            query = select(func.count(RunRow.value), func.max(RunRow.finished_at)).where(
                RunRow.study == study, RunRow.promotion == 0
            )
            state = tuple(session.execute(query).one())
        with self._lock:
            known = self._drawn.get(study)
            if known is None or (known.state != state and known.until < time.monotonic()):
                began = time.monotonic()
                drawn = study_figures(self.ledger, study)
                shown = [{"id": name, "graph_object": figure.to_json()} for name, figure in drawn.items()]
                now = time.monotonic()
                known = self._drawn[study] = _Drawn(state, shown, until=now + REST * (now - began))
            return known.figures


@dataclass(frozen=True)
class _Drawn:
    """A study's figures as the stock application tells them, of its trials in `state`; good `until` then at least."""

    state: tuple[Any, ...]
    figures: list[dict[str, str]]
    until: float


def _without_config(attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The note tells the configuration; on one line, cut off, it makes the stock page seven screens wide."""
    return [attribute for attribute in attributes if attribute["key"] != "config"]


def _noted(note: dict[str, Any], ours: str) -> dict[str, Any]:
    if note["body"].strip() and OURS not in note["body"]:
        return note
    return note | {"body": f"{ours}\n\n{OURS}"}
