"""The dashboard, put together; headers that every answer carries."""

from optuna.storages import RDBStorage
from werkzeug.exceptions import HTTPException, NotFound, ServiceUnavailable
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from amnl_tune.artifacts import Artifacts
from amnl_tune.dashboard.guard import Guard, Rules
from amnl_tune.dashboard.optuna_app import OptunaApp
from amnl_tune.dashboard.pages import OurPages, refused
from amnl_tune.dashboard.server import WsgiApp
from amnl_tune.database.engine import Ledger
from amnl_tune.errors import AmnlTuneError, StudyError

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # not no-referrer: forms would come with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Where the answer has none of that name."""

STATIC = {"Cache-Control": "private, max-age=3600"}


def dashboard_app(ledger: Ledger, storage: RDBStorage, artifacts: Artifacts, rules: Rules) -> WsgiApp:
    """Optuna's application on the ledger's database, with what is ours around it.

    Args:
        ledger: our tables. storage: Optuna's, on the same database. artifacts: where the runs' files are.
        rules: who may do what.

    Raises:
        StorageError: the database refuses.
    """
    guard, ours = Guard(rules), OurPages(ledger)
    optuna_app = OptunaApp(ledger, storage, artifacts, allow_edits=rules.allow_edits)

    def answer(request: Request) -> Response:
        if request.path == "/" and not request.query_string:
            return redirect("/dashboard", 303)
        user = "" if request.path == "/healthz" else guard.admit(request)
        if isinstance(user, Response):
            return user
        return ours.answer(request) or optuna_app.answer(request, user)

    @Request.application
    def application(request: Request) -> Response:
        try:
            response = answer(request)
        except HTTPException as refusal:
            response = refused(request, refusal)
        except StudyError as error:
            response = refused(request, NotFound(str(error)))
        except AmnlTuneError as error:
            response = refused(request, ServiceUnavailable(str(error)))
        for name, value in (HEADERS | (STATIC if request.path.startswith("/static/") else {})).items():
            response.headers.setdefault(name, value)
        return response

    return application
