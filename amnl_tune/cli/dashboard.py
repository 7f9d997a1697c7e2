"""`amnl-tune dashboard`: the studies in a browser, behind a login."""

import getpass
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.cli.options import ArtifactUrl, Home, Storage, existing_ledger, settings
from amnl_tune.errors import ConfigurationError

if TYPE_CHECKING:
    from amnl_tune.dashboard.credentials import Credentials

CREDENTIALS = "AMNL_TUNE_DASHBOARD_CREDENTIALS"
SECRET = "AMNL_TUNE_DASHBOARD_SECRET"
SHORTEST_SECRET = 32
EVERYWHERE = {"0.0.0.0", "::"}


def dashboard(
    host: Annotated[str, typer.Option(help="Address to listen on; beyond localhost only with credentials.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: a free one.")] = 8080,
    credentials: Annotated[
        Path | None, typer.Option(help=rf"File of USER:HASH lines.  \[env: {CREDENTIALS}, the lines themselves]")
    ] = None,
    hash_password: Annotated[
        bool, typer.Option("--hash-password", help="Ask for user and password, print their line, and end.")
    ] = False,
    allow_edits: Annotated[
        bool, typer.Option("--allow-edits", help="Allow notes, renaming, deleting: they break a running study.")
    ] = False,
    public_metrics: Annotated[bool, typer.Option("--public-metrics", help="Show /metrics without a login.")] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Name that a proxy or a browser calls the dashboard by; repeatable.")
    ] = None,
    trusted_proxy: Annotated[
        str | None, typer.Option(help="Address whose X-Forwarded-For, -Proto and -Host are believed; *: any.")
    ] = None,
    storage: Storage = None,
    home: Home = None,
    artifacts: ArtifactUrl = None,
) -> None:
    """Browse the studies in the Optuna dashboard: read-only, behind a login. Ctrl-C ends it.

    On localhost the printed link logs in. /healthz tells whether the database answers, /metrics is for Prometheus.
    """
    if hash_password:
        typer.echo(_hashed())
        return
    from amnl_tune.artifacts import Artifacts
    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.dashboard.app import dashboard_app
    from amnl_tune.dashboard.guard import Rules
    from amnl_tune.dashboard.server import serve
    from amnl_tune.database.optuna_storage import open_storage

    who = _credentials(credentials, host)
    rules = Rules(
        credentials=who,
        hosts=_names(host, allow_host or []),
        allow_edits=allow_edits,
        public_metrics=public_metrics,
        **_secret(),
    )
    quiet_libraries()
    places = settings(storage, home, artifacts=artifacts)
    ledger = existing_ledger(places)
    app = dashboard_app(ledger, open_storage(ledger), Artifacts(places.home, places.artifacts), rules)

    def ready(url: str) -> None:
        link = f"{url}?token={who.token}" if who.token else f"{url}  (log in as {', '.join(sorted(who.hashes))})"
        typer.echo(f"Optuna dashboard: {link}  (Ctrl-C ends it)")
        sys.stdout.flush()  # into a file or a pipe too: the token is needed now

    serve(app, host=host, port=port, ready=ready, stop=_stopped(), trusted_proxy=trusted_proxy)


def _stopped() -> threading.Event:
    """Set by Ctrl-C or SIGTERM."""
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for wanted in (signal.SIGINT, signal.SIGTERM):
            signal.signal(wanted, lambda *_: stop.set())
    return stop


def _credentials(file: Path | None, host: str) -> "Credentials":
    from amnl_tune.dashboard.credentials import parse_credentials, token_credentials
    from amnl_tune.dashboard.server import is_local

    if file is not None:
        try:
            return parse_credentials(file.read_text(encoding="utf-8-sig"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise ConfigurationError(
                f"`--credentials` must be a readable file, but {file}: {reason}; make its lines with "
                "`amnl-tune dashboard --hash-password`"
            ) from error
    if os.environ.get(CREDENTIALS):
        return parse_credentials(os.environ[CREDENTIALS], CREDENTIALS)
    if not is_local(host):
        raise ConfigurationError(
            f"A dashboard beyond localhost must have a login, but got --host {host} without credentials; make a line "
            f"with `amnl-tune dashboard --hash-password` and give its file as --credentials, or set {CREDENTIALS}"
        )
    return token_credentials()


def _names(host: str, allowed: list[str]) -> frozenset[str] | None:
    """Names to answer to. A page of another site must not reach us under a name of its own (DNS rebinding)."""
    if host in EVERYWHERE and not allowed:
        return None
    own = {"localhost", "127.0.0.1", "::1"} | ({host.lower()} - EVERYWHERE)
    return frozenset(own | {name.lower() for name in allowed})


def _secret() -> dict[str, bytes]:
    given = os.environ.get(SECRET)
    if not given:
        return {}
    if len(given) < SHORTEST_SECRET:
        raise ConfigurationError(
            f"{SECRET} must have {SHORTEST_SECRET} characters or more, but has {len(given)}; make one with "
            '`python -c "import secrets; print(secrets.token_hex(32))"`, or leave it out: sessions then end with '
            "the process"
        )
    return {"secret": given.encode()}


def _hashed() -> str:
    """A credentials line; user and password from the terminal, or from two lines of standard input."""
    from amnl_tune.dashboard.credentials import credentials_line

    if not sys.stdin.isatty():
        user, password = (sys.stdin.readline().rstrip("\r\n") for _ in range(2))
        return credentials_line(user, password)
    user = typer.prompt("User", err=True).strip()
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise ConfigurationError("The password must be typed the same twice, but was not; try again")
    return credentials_line(user, password)
