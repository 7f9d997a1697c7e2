"""The dashboard, put together; headers that every answer carries."""

import re
from collections.abc import Iterable
from typing import Any

import optuna_dashboard
from optuna.storages import RDBStorage

from amnl_tune.artifacts import Artifacts
from amnl_tune.dashboard.annotations import annotated
from amnl_tune.dashboard.guard import Rules, guarded
from amnl_tune.dashboard.http import Environ, StartResponse, WsgiApp, redirected
from amnl_tune.dashboard.optuna_app import stock_pages
from amnl_tune.dashboard.pages import with_our_pages
from amnl_tune.dashboard.requests import well_formed
from amnl_tune.database.engine import Ledger
from amnl_tune.errors import ConfigurationError
from amnl_tune.studies.optuna_parts import experiments_intended

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


def checked_prefix(prefix: str) -> str:
    """The prefix without a slash at its end; "" for none.

    Raises:
        ConfigurationError: it is no plain path.
    """
    plain = prefix.rstrip("/")
    if plain and not re.fullmatch(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+", plain):
        raise ConfigurationError(
            f"`--prefix` must be a path of letters, digits, - and _, but got {prefix!r}; write it like /amnl"
        )
    return plain


def mounted(app: WsgiApp, prefix: str) -> WsgiApp:
    """The application under `prefix`. A proxy may leave the prefix in what it passes on, or take it off."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            path = path[len(prefix) :]
        environ = environ | {"SCRIPT_NAME": prefix, "PATH_INFO": path or "/"}
        for name in ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST"):
            environ.pop(name, None)  # the server has used them where it trusts the proxy
        defaults = HEADERS | (STATIC if path.startswith("/static/") else {})

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            return start_response(
                status, headers + [pair for pair in defaults.items() if pair[0].lower() not in given], *rest
            )

        if path in {"", "/"} and not environ.get("QUERY_STRING"):
            return redirected(environ, "/dashboard")(environ, start)
        return app(environ, start)

    return application


def dashboard_app(
    ledger: Ledger, storage: RDBStorage, artifacts: Artifacts, rules: Rules, *, prefix: str = ""
) -> WsgiApp:
    """Optuna's application on the ledger's database, with what is ours around it.

    Args:
        ledger: our tables. storage: Optuna's, on the same database. artifacts: where the runs' files are.
        rules: who may do what.
        prefix: of all paths, like `/amnl`; "" for none.

    Raises:
        StorageError: the database refuses. ConfigurationError: the installed optuna-dashboard takes no prefix.
    """
    with experiments_intended():
        app: WsgiApp = optuna_dashboard.wsgi(storage)
    app = well_formed(app, storage)
    app = stock_pages(app, prefix, allow_edits=rules.allow_edits)
    app = annotated(app, ledger, artifacts)
    app = with_our_pages(app, ledger)
    return mounted(guarded(app, rules), prefix)
