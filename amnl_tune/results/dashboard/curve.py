"""A trial's raw learning curve as a small SVG, drawn when somebody looks at the trial's note."""

import math
from collections.abc import Sequence

from sqlalchemy import select

from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.models import EpochRow, RunRow

__all__ = ["curve_svg", "raw_curve"]

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
