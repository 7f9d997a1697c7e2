"""Our own pages beside the stock ones: health, metrics, a study's report, a trial's curve."""

import base64
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus

from amnl_tune.errors import AmnlTuneError, StorageError, StudyError
from amnl_tune.results.dashboard.curve import curve_svg, raw_curve
from amnl_tune.results.dashboard.metrics import exposition
from amnl_tune.results.dashboard.wsgi import Answer, Environ, StartResponse, WsgiApp, explained
from amnl_tune.results.report import report_page
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.schema import require_schema

__all__ = ["with_our_pages"]

HEALTH_SECONDS = 1.0
"""For which an answer holds: anybody may ask, and the database must not suffer from it."""

HEALTH_PATIENCE = 3.0
"""Seconds that the database has for its answer; whoever asks is told then, and not when a connection gives up."""

CURVE = re.compile(r"/curves/([\w.-]+)/(\d{1,9})\.svg", re.ASCII)
REPORT = re.compile(r"/report/([\w.-]+)", re.ASCII)
"""Of studies' names, as their files may have them."""


def with_our_pages(app: WsgiApp, ledger: Ledger) -> WsgiApp:
    """The application; what we answer ourselves never reaches it."""
    health = _Health(ledger)

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        page = _page(ledger, health, path) if environ["REQUEST_METHOD"] in {"GET", "HEAD"} else None
        if page is None:
            return app(environ, start_response)
        try:
            answer = page()
        except StudyError as error:
            answer = explained(environ, HTTPStatus.NOT_FOUND, str(error))
        except AmnlTuneError as error:
            answer = explained(environ, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        return answer(environ, start_response)

    return application


def _page(ledger: Ledger, health: "_Health", path: str) -> Callable[[], Answer] | None:
    if path == "/healthz":
        return health
    if path == "/metrics":
        return lambda: Answer(
            body=exposition(ledger), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )
    if match := CURVE.fullmatch(path):
        study, trial = match[1], int(match[2])
        return lambda: _curve(ledger, study, trial)
    if match := REPORT.fullmatch(path):
        study = match[1]
        return lambda: _report(ledger, study)
    return None


def _curve(ledger: Ledger, study: str, trial: int) -> Answer:
    drawn = curve_svg(raw_curve(ledger, study, trial))
    return Answer(body=drawn.encode(), headers={"Content-Type": "image/svg+xml"})


def _report(ledger: Ledger, study: str) -> Answer:
    page = report_page(ledger, study)
    # Its scripts are known, so the policy names them: nothing else in it can run.
    scripts = " ".join(f"'sha256-{_digest(text)}'" for text in re.findall(r"<script[^>]*>(.*?)</script>", page, re.S))
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy}
    return Answer(body=page.encode(), headers=headers)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


class _Health:
    """Whether the database answers; says no more than that, since anybody may ask."""

    def __init__(self, ledger: Ledger) -> None:
        self._url = ledger.url.render_as_string(hide_password=False)
        self._lock = threading.Lock()
        self._look: _Look | None = None

    def __call__(self) -> Answer:
        with self._lock:
            if self._look is None or (self._look.ended.is_set() and time.monotonic() >= self._look.until):
                self._look = _Look(self._url)
                self._look.start()
            look = self._look
        if look.ended.wait(HEALTH_PATIENCE) and look.well:
            return Answer(body=b"ok\n")
        return Answer(HTTPStatus.SERVICE_UNAVAILABLE, b"the database does not answer\n")


class _Look(threading.Thread):
    """One look at the database, which may take as long as it likes."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.ended, self.well, self.until, self._url = threading.Event(), False, 0.0, url

    def run(self) -> None:
        try:
            require_schema(self._url)  # by a new connection: an old one may still see a file that is gone
            self.well = True
        except StorageError:
            pass
        finally:
            self.until = time.monotonic() + HEALTH_SECONDS
            self.ended.set()
