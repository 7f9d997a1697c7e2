"""The stock optuna-dashboard on this storage, on this machine only."""

import socketserver
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
import optuna_dashboard
import plotly.graph_objects as go

from amnl_tune.errors import StorageError, StudyError
from amnl_tune.results import figures, frames
from amnl_tune.results.report import answer
from amnl_tune.results.summary import summarize
from amnl_tune.search.ledger.engine import Ledger, storage_failures
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.optuna_parts import experiments_intended
from amnl_tune.search.range_test import find_range_test
from amnl_tune.search.trials import open_storage

__all__ = ["annotate", "dashboard_app", "serve"]

HOST = "127.0.0.1"
HOST_NAMES = {HOST, "localhost"}
OURS = "*Kept up to date by amnl-tune until this line is taken out.*"
WsgiApp = Callable[..., Iterable[bytes]]


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line."""


def dashboard_app(ledger: Ledger) -> WsgiApp:
    """optuna-dashboard's WSGI application on the ledger's database."""
    with experiments_intended():
        app: WsgiApp = optuna_dashboard.wsgi(open_storage(ledger))
    return _for_this_machine(app)


def _for_this_machine(app: WsgiApp) -> WsgiApp:
    """Refuses what a page of another site sends here under a name of its own: the dashboard can delete studies."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_HOST", "").rsplit(":", 1)[0] in HOST_NAMES:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        return [b"The dashboard answers to localhost and 127.0.0.1 only.\n"]

    return guarded


def serve(app: WsgiApp, port: int, *, ready: Callable[[str], None], stop: threading.Event | None = None) -> None:
    """Serves on localhost until interrupted, or until `stop` is set.

    Args:
        app: to serve. port: 0 takes a free one.
        ready: called with the URL once it answers.
        stop: for tests.

    Raises:
        StorageError: the port is taken.
    """
    try:
        server = make_server(HOST, port, app, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        raise StorageError(
            f"`--port` must be free, but {port} is not: {error.strerror}; choose another --port"
        ) from error
    with server:
        ready(f"http://{HOST}:{server.server_port}/")
        if stop is None:
            server.serve_forever()
        else:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stop.wait()
            server.shutdown()
            thread.join()


def annotate(ledger: Ledger, study: str) -> None:
    """Gives the study's dashboard page a note and figures; doing so again replaces them, but no note of the user's.

    Raises:
        StudyError: unknown study, or Optuna's part of it was deleted or renamed. StorageError: the database refuses.
    """
    facts = summarize(ledger, study)
    with experiments_intended(), storage_failures(ledger.url):
        try:
            page = optuna.load_study(study_name=study, storage=open_storage(ledger))
        except KeyError:
            raise StudyError(
                f"A study's page needs Optuna's part of the study, but that of {study!r} was deleted or renamed in the "
                "dashboard; rename it back"
            ) from None
        if not (note := optuna_dashboard.get_note(page)) or OURS in note:
            optuna_dashboard.save_note(
                page,
                f"**{facts['question']}**\n\n{answer(facts)}\n\n"
                f"Data set {facts['dataset']}, SHA-256 `{facts['data_sha256']}`; "
                f"study file `{facts['fingerprint'][:12]}`.\n\n{OURS}",
            )
        for name, figure in _page_figures(ledger, study).items():
            # The fixed id makes a later figure replace the earlier one.
            optuna_dashboard.save_plotly_graph_object(page, figure, graph_object_id=name)


def _page_figures(ledger: Ledger, study: str) -> dict[str, go.Figure]:
    drawn = {}
    history = frames.history_frame(frames.trials_frame(ledger, study))
    if len(history):
        drawn["amnl-history"] = figures.history_figure(history).update_layout(title="Search history")
    key = find_study(ledger, study).range_test_key
    test = find_range_test(ledger, key) if key else None
    if test:
        drawn["amnl-lr-range-test"] = figures.range_test_figure(test).update_layout(title="LR range test")
    return {name: figure.update_layout(margin={"t": 90}) for name, figure in drawn.items()}
