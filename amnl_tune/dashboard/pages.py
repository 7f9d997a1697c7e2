"""Our own pages beside the stock ones: health, metrics, a study's report, a trial's curve."""

import base64
import hashlib
import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus

from sqlalchemy import select

from amnl_tune.dashboard.http import Answer, Environ, StartResponse, WsgiApp, explained
from amnl_tune.dashboard.metrics import exposition
from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow, RunRow
from amnl_tune.database.schema import require_schema
from amnl_tune.errors import AmnlTuneError, StorageError, StudyError
from amnl_tune.ledger.studies import find_study
from amnl_tune.results.report import report_page

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 26, 42
BLUE, ORANGE, GREY = "#2b8cc4", "#D55E00", "#888888"
"""Okabe and Ito's, a little lighter: they stand on white and on black."""

BEYOND = 3.0
"""Values above so many medians are off the axis, as in the report's figures."""


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
    """The curve with its best epoch marked; says so where there is none."""
    known = [(number, value) for number, value in curve if value is not None and math.isfinite(value)]
    if not known:
        return _svg(_text(WIDTH / 2, HEIGHT / 2, "no finished epoch yet", "middle"))
    ordered = sorted(value for _, value in known)
    limit = BEYOND * ordered[len(ordered) // 2]
    inside = [value for value in ordered if value <= limit]
    low, high = _widened(inside[0], inside[-1])
    first, last = known[0][0], max(known[-1][0], known[0][0] + 1)

    def place(number: int, value: float) -> tuple[float, float]:
        x = LEFT + (number - first) / (last - first) * (WIDTH - LEFT - RIGHT)
        y = TOP + (high - min(value, high)) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return x, y

    points = [place(number, value) for number, value in known]
    best = min(known, key=lambda epoch: epoch[1])
    at = place(*best)
    parts = [_text(LEFT, 16, f"validation RMSE (cycles), best {best[1]:.2f} in epoch {best[0]}")]
    for value in _steps(low, high, 4):
        y = place(first, value)[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{GREY}" stroke-opacity=".35"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{value:g}", "end"))
    for value in _steps(first, last, 8):
        if value == int(value):
            parts.append(_text(place(int(value), high)[0], HEIGHT - 26, f"{value:g}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "epoch", "middle"))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="{BLUE}" stroke-width="2" stroke-linejoin="round"/>')
    if len(points) <= 40:
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{BLUE}"/>' for x, y in points]
    parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="5" fill="none" stroke="{ORANGE}" stroke-width="2.5"/>')
    return _svg("".join(parts))


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = 0.06 * (high - low) or max(1.0, 0.05 * abs(high))
    return max(0.0, low - margin), high + margin


def _steps(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, `most` of them or fewer."""
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * by for by in (1, 2, 2.5, 5, 10, 20) if (high - low) / (power * by) <= most)
    return [round(step * count, 6) for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{GREY}">{text}</text>'


def _svg(content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12">{content}</svg>'
    )


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
    page = report_page(find_study(ledger, study))
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
