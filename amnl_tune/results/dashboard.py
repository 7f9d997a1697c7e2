"""The stock optuna-dashboard on this storage, on this machine only."""

import socketserver
import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna
import optuna_dashboard

from amnl_tune.errors import StorageError
from amnl_tune.results import figures, frames
from amnl_tune.results.report import answer
from amnl_tune.results.summary import summarize
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.optuna_parts import experiments_intended
from amnl_tune.search.range_test import find_range_test
from amnl_tune.search.trials import open_storage

__all__ = ["annotate", "dashboard_app", "serve"]

HOST = "127.0.0.1"
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
    return app


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
    """Gives the study's dashboard page a note and figures; doing so again replaces them."""
    facts = summarize(ledger, study)
    with experiments_intended():
        page = optuna.load_study(study_name=study, storage=open_storage(ledger))
        optuna_dashboard.save_note(
            page,
            f"**{facts['question']}**\n\n{answer(facts)}\n\n"
            f"Data set {facts['dataset']}, SHA-256 `{facts['data_sha256']}`; study file `{facts['fingerprint'][:12]}`.",
        )
        history = frames.history_frame(frames.trials_frame(ledger, study))
        if len(history):
            _save(page, figures.history_figure(history).update_layout(title="Search history"), "amnl-history")
        key = find_study(ledger, study).range_test_key
        test = find_range_test(ledger, key) if key else None
        if test:
            _save(page, figures.range_test_figure(test).update_layout(title="LR range test"), "amnl-lr-range-test")


def _save(page: optuna.Study, figure: Any, identity: str) -> None:
    """The fixed id makes a later figure replace the earlier one."""
    optuna_dashboard.save_plotly_graph_object(page, figure, graph_object_id=identity)
