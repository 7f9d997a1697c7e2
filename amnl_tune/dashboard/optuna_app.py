"""Optuna's own application: who is looking is told on its pages, and what the ledger knows in what it tells of a study.

Our notes and figures are put into the answer, not into the database: always as the ledger is now, at no cost while
nobody looks, and no burden to workers, who read all of a study's notes whenever they read its attributes.
"""

import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import optuna_dashboard
from optuna.storages import RDBStorage
from sqlalchemy import func, select
from werkzeug.wrappers import Request, Response

from amnl_tune.artifacts import Artifacts
from amnl_tune.dashboard.notes import study_figures, study_note, trial_notes
from amnl_tune.dashboard.pages import TEMPLATES
from amnl_tune.dashboard.requests import DETAIL, READING, checked, wants_page
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import RunRow
from amnl_tune.errors import AmnlTuneError
from amnl_tune.ledger.studies import study_names
from amnl_tune.results.gallery import PREFIX
from amnl_tune.studies.optuna_parts import experiments_intended

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-eval'; "  # plotly's WebGL figures compile their shaders' glue (stock: _app.py)
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; frame-src 'none'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)

OURS = "*Kept up to date by amnl-tune until this line is taken out.*"
NOTE_SECONDS = 5.0
"""For which a study's note holds: it adds up all epochs (half a second for 2,000 trials)."""

REST = 10.0
"""Times as long as drawing them took, a study's figures hold though trials end: a large study's take seconds."""


class OptunaApp:
    """Answers by the stock application."""

    def __init__(self, ledger: Ledger, storage: RDBStorage, artifacts: Artifacts, *, allow_edits: bool) -> None:
        with experiments_intended():
            self._stock = optuna_dashboard.wsgi(storage)
        self._storage = storage
        self._annotations = Annotations(ledger, artifacts)
        self._allow_edits = allow_edits

    def answer(self, request: Request, user: str) -> Response:
        """The stock application's answer to a user's request, with what is ours.

        Raises:
            HTTPException: it could not take the request. StorageError: the database refuses.
        """
        environ = checked(request, self._storage)
        study = DETAIL.fullmatch(request.path.rstrip("/")) if request.method in READING else None
        if study is None and request.path.startswith(("/static/", "/api/", "/csv/")):
            return Response.from_app(self._stock, environ)
        for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_NONE_MATCH", "HTTP_RANGE"):
            environ.pop(name, None)  # the page is not the file that they speak of
        if request.method == "HEAD":
            environ["REQUEST_METHOD"] = "GET"
        answer = Response.from_app(self._stock, environ, buffered=True)
        if study is None:
            return self._page(answer, request, user)
        if answer.status_code == 200:
            page = json.loads(answer.get_data())
            with suppress(AmnlTuneError):  # a page without our notes is still worth seeing
                self._annotations.add(page, int(study[1]))
            answer.set_data(json.dumps(page))
        return answer

    def _page(self, answer: Response, request: Request, user: str) -> Response:
        for name in ("Last-Modified", "ETag", "Accept-Ranges"):
            answer.headers.remove(name)
        if answer.location:
            answer.location = urlsplit(answer.location).path
        if answer.mimetype != "text/html":
            return answer
        if answer.status_code == 200:
            bar = TEMPLATES.get_template("bar.html").render(user=user, allow_edits=self._allow_edits)
            answer.set_data(answer.get_data(as_text=True).replace("</body>", f"{bar}</body>"))
        elif not wants_page(request):
            answer.mimetype = "text/plain"
            answer.set_data(f"{answer.status.partition(' ')[2]}\n")
        answer.headers["Content-Security-Policy"] = POLICY
        return answer


@dataclass(frozen=True)
class _Drawn:
    """A study's figures as the stock application tells them, of its trials in `state`; good `until` then at least."""

    state: tuple[Any, ...]
    figures: list[dict[str, str]]
    until: float


class Annotations:
    """Adds to what the stock application tells of a study; every open page asks for it every few seconds.

    A study's note is kept for a moment, its figures until a trial has changed.
    """

    def __init__(self, ledger: Ledger, artifacts: Artifacts) -> None:
        self._ledger, self._artifacts = ledger, artifacts
        self._told: dict[str, tuple[float, str]] = {}
        self._drawn: dict[str, _Drawn] = {}
        self._lock = threading.Lock()

    def add(self, page: dict[str, Any], optuna_id: int) -> None:
        """Notes and figures, if the study is one of ours; a note of the user's own stays as it is.

        Args:
            page: the stock application's answer to `/api/studies/ID`, changed in place. optuna_id: that ID.

        Raises:
            StudyError: the study was deleted meanwhile. StorageError: the database refuses.
        """
        study = page["name"]
        if study not in study_names(self._ledger):
            return
        page["note"] = _noted(page["note"], self._note(study, optuna_id))
        trials = [*page["trials"], *page["best_trials"]]
        notes = trial_notes(self._ledger, self._artifacts, study, {trial["number"] for trial in trials})
        for trial in trials:
            if trial["number"] in notes:
                trial["note"] = _noted(trial["note"], notes[trial["number"]])
                trial["user_attrs"] = _without_config(trial["user_attrs"])
        page["union_user_attrs"] = _without_config(page["union_user_attrs"])
        others = [drawn for drawn in page["plotly_graph_objects"] if not drawn["id"].startswith(PREFIX)]
        page["plotly_graph_objects"] = self._figures(study) + others

    def _note(self, study: str, optuna_id: int) -> str:
        until, note = self._told.get(study, (0.0, ""))
        if until < time.monotonic():
            note = study_note(self._ledger, study, optuna_id=optuna_id)
            self._told[study] = time.monotonic() + NOTE_SECONDS, note
        return note

    def _figures(self, study: str) -> list[dict[str, str]]:
        """As the stock application tells them."""
        with self._ledger.read() as session:
            query = select(func.count(RunRow.value), func.max(RunRow.finished_at)).where(
                RunRow.study == study, RunRow.promotion == 0
            )
            state = tuple(session.execute(query).one())
        with self._lock:
            known = self._drawn.get(study)
            if known is None or (known.state != state and known.until < time.monotonic()):
                began = time.monotonic()
                drawn = study_figures(self._ledger, study)
                shown = [{"id": name, "graph_object": figure.to_json()} for name, figure in drawn.items()]
                now = time.monotonic()
                known = self._drawn[study] = _Drawn(state, shown, until=now + REST * (now - began))
            return known.figures


def _without_config(attributes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The note tells the configuration; on one line, cut off, it makes the stock page seven screens wide."""
    return [attribute for attribute in attributes if attribute["key"] != "config"]


def _noted(note: dict[str, Any], ours: str) -> dict[str, Any]:
    if note["body"].strip() and OURS not in note["body"]:
        return note
    return note | {"body": f"{ours}\n\n{OURS}"}
