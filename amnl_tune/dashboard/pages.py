"""Our own pages beside Optuna's: the login form, refusals, health, metrics, a study's report, a trial's curve."""

import base64
import hashlib
import json
import math
import re
import threading
import time
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.wrappers import Request, Response

from amnl_tune.dashboard.metrics import exposition
from amnl_tune.dashboard.requests import READING, wants_page
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow
from amnl_tune.database.schema import require_schema
from amnl_tune.errors import StorageError
from amnl_tune.ledger.studies import find_study
from amnl_tune.results import style
from amnl_tune.results.report import report_page

TEMPLATES = Environment(
    loader=PackageLoader("amnl_tune.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals["style"] = style

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Of pages made from `page.html`: no script runs in them."""

HEALTH_SECONDS = 1.0
"""For which an answer holds: anybody may ask, and the database must not suffer from it."""

HEALTH_PATIENCE = 3.0
"""Seconds that the database has for its answer; whoever asks is told then, and not when a connection gives up."""

CURVE = re.compile(r"/curves/([\w.-]+)/(\d{1,9})\.svg", re.ASCII)
REPORT = re.compile(r"/report/([\w.-]+)", re.ASCII)
"""Of studies' names, as their files may have them."""

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 628, 26, 198
"""Of the curve's axes, in pixels of the drawing."""


def rendered(template: str, status: int = 200, **values: Any) -> Response:
    """A page made from a template that extends `page.html`."""
    page = Response(TEMPLATES.get_template(template).render(values), status, mimetype="text/html")
    page.headers["Content-Security-Policy"] = POLICY
    return page


def refused(request: Request, refusal: HTTPException) -> Response:
    """A refusal in the client's language: JSON as the stock pages read it, HTML for a browser's page, else text."""
    why = refusal.description or refusal.name
    if request.path.startswith("/api/"):
        answer = Response(json.dumps({"reason": why}), refusal.code, mimetype="application/json")
    elif wants_page(request):
        answer = rendered("refusal.html", refusal.code or 500, title=refusal.name, why=why)
    else:
        answer = Response(f"{why}\n", refusal.code)
    for name, value in refusal.get_headers(request.environ):
        answer.headers.setdefault(name, value)
    if isinstance(refusal, Unauthorized):
        # A browser's own dialogue must not cover the page whose script asked: only programs are told of HTTP Basic.
        scheme = "Session" if "Sec-Fetch-Mode" in request.headers else 'Basic charset="UTF-8",'
        answer.headers["WWW-Authenticate"] = f'{scheme} realm="amnl-tune"'
    return answer


class OurPages:
    """What is answered here and never reaches Optuna's application."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._health = _Health(ledger.url.render_as_string(hide_password=False))

    def answer(self, request: Request) -> Response | None:
        """The page, None where the path is none of ours.

        Raises:
            StudyError: unknown study. StorageError: the database refuses.
        """
        if request.method not in READING:
            return None
        if request.path == "/healthz":
            well = self._health.is_well()
            return Response("ok\n") if well else Response("the database does not answer\n", 503)
        if request.path == "/metrics":
            return Response(exposition(self._ledger), content_type="text/plain; version=0.0.4; charset=utf-8")
        if match := CURVE.fullmatch(request.path):
            return Response(curve_svg(raw_curve(self._ledger, match[1], int(match[2]))), mimetype="image/svg+xml")
        if match := REPORT.fullmatch(request.path):
            return _report(self._ledger, match[1])
        return None


def _report(ledger: Ledger, study: str) -> Response:
    page = report_page(find_study(ledger, study))
    # Its scripts are known, so the policy names them: nothing else in it can run.
    digests = [
        hashlib.sha256(text.encode()).digest() for text in re.findall(r"<script[^>]*>(.*?)</script>", page, re.S)
    ]
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    answer = Response(page, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return answer


class _Health:
    """Whether the database answers; says no more than that, since anybody may ask."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._look: threading.Thread | None = None
        self._well, self._until = False, 0.0

    def is_well(self) -> bool:
        """By the last look, or by a new one, for which everybody waits who asks meanwhile."""
        with self._lock:
            if self._look is None or (not self._look.is_alive() and time.monotonic() >= self._until):
                self._look = threading.Thread(target=self._ask, daemon=True)  # it may hang as long as it likes
                self._look.start()
            look = self._look
        look.join(HEALTH_PATIENCE)
        return self._well and not look.is_alive()

    def _ask(self) -> None:
        well = False
        try:
            require_schema(self._url)  # by a new connection: an old one may still see a file that is gone
            well = True
        except StorageError:
            pass
        finally:
            self._well, self._until = well, time.monotonic() + HEALTH_SECONDS


def raw_curve(ledger: Ledger, study: str, trial: int) -> list[tuple[int, float | None]]:
    """Epochs and their validation RMSE in cycles, None where the run diverged. Raises StorageError."""
    with ledger.read() as session:
        query = (
            select(EpochRow.number, EpochRow.validation_rmse)
            .join(RunRow, RunRow.id == EpochRow.run)
            .where(RunRow.study == study, RunRow.promotion == 0, RunRow.trial_number == trial)
            .order_by(EpochRow.number)
        )
        return [(number, value) for number, value in session.execute(query)]


def curve_svg(curve: Sequence[tuple[int, float | None]]) -> str:
    """A drawing of validation RMSE (cycles) by epoch, its best epoch marked; says so where there is none."""
    known = [(number, value) for number, value in curve if value is not None and math.isfinite(value)]
    drawn: dict[str, Any] = {"points": []}
    if known:
        values = sorted(value for _, value in known)
        inside = [value for value in values if value <= style.BEYOND * values[len(values) // 2]]
        margin = 0.06 * (inside[-1] - inside[0]) or max(1.0, 0.05 * inside[-1])
        low, high = max(0.0, inside[0] - margin), inside[-1] + margin
        first, last = known[0][0], max(known[-1][0], known[0][0] + 1)

        def x(number: float) -> float:
            return round(LEFT + (number - first) / (last - first) * (RIGHT - LEFT), 1)

        def y(value: float) -> float:
            return round(TOP + (high - min(value, high)) / (high - low) * (BOTTOM - TOP), 1)

        number, value = min(known, key=lambda epoch: epoch[1])
        drawn = {
            "title": f"validation RMSE (cycles), best {value:.2f} in epoch {number}",
            "points": [(x(number), y(value)) for number, value in known],
            "best": (x(number), y(value)),
            "rows": [(f"{value:g}", y(value)) for value in _round_numbers(low, high, 4)],
            "columns": [(f"{number:g}", x(number)) for number in _round_numbers(first, last, 8) if number % 1 == 0],
        }
    axes = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "bottom": BOTTOM}
    return TEMPLATES.get_template("curve.svg").render(drawn | axes)


def _round_numbers(low: float, high: float, most: int) -> list[float]:
    """Those from low to high, `most` of them or about so many."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * by for by in (1, 2, 2.5, 5, 10, 20) if (high - low) / (power * by) <= most)
    return [round(step * count, 6) for count in range(math.ceil(low / step), math.floor(high / step) + 1)]
