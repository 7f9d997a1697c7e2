"""What a study has really taken, from the ledger, beside its last plan, which the home folder keeps."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import select

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import AttemptRow, PromotionRow, RunRow
from amnl_tune.documents import from_json, text_of
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.files import write_content
from amnl_tune.host import host_name
from amnl_tune.ledger.studies import find_study
from amnl_tune.measure.plan.estimate import Phase
from amnl_tune.measure.plan.pace import Interval
from amnl_tune.measure.plan.plan import HERE, Plan
from amnl_tune.studies.spec import StudySpec

FORMAT = 1


@dataclass(frozen=True)
class Prediction:
    """This machine with a number of workers: phases with their busy seconds, the range test in seconds."""

    workers: int
    range_test: Interval
    search: Phase
    promotion: Phase


@dataclass(frozen=True)
class Remembered:
    """A plan that was made at `made_at` (seconds since 1970) on `host`."""

    made_at: float
    host: str
    predictions: tuple[Prediction, ...]
    currency: str

    def of(self, workers: int) -> Prediction:
        """For that number of workers, or the nearest."""
        return min(self.predictions, key=lambda one: abs(one.workers - workers))

    @property
    def made(self) -> str:
        """When, for people."""
        return f"{datetime.fromtimestamp(self.made_at, UTC):%Y-%m-%d %H:%M} UTC"


def place_of(home: Path, study: str) -> Path:
    """The file of a study's plan, in the home folder."""
    return home / "plans" / f"{study}.json"


def remember(home: Path, spec: StudySpec, plan: Plan) -> Path:
    """Keeps the plan; an earlier one of the study is replaced. Raises StorageError."""
    path = place_of(home, spec.name)
    document = {
        "format": FORMAT,
        "made_at": time.time(),
        "host": host_name(),
        "fingerprint": spec.fingerprint(),
        "plan": plan.plain(),
    }
    write_content(path, json.dumps(document, indent=1).encode())
    return path


def recall(home: Path, spec: StudySpec) -> Remembered:
    """The plan of the study.

    Raises:
        StudyError: there is none. ConfigurationError: it was made for another content of the file, or is damaged.
    """
    path = place_of(home, spec.name)
    remedy = "run `amnl-tune plan FILE` before the study"
    try:
        document = from_json(text_of(path.read_bytes()))
    except FileNotFoundError:
        raise StudyError(
            f"A plan must have been made to be held against what was spent, but there is none of study {spec.name!r} "
            f"at {path}; {remedy}, with the same --home"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"A remembered plan must be readable, but {path} is not: {error}; {remedy}") from error
    told = document if isinstance(document, dict) else {}
    if told.get("format") != FORMAT or told.get("fingerprint") != spec.fingerprint():
        raise ConfigurationError(
            f"A remembered plan must be of the same study file, but {path} was made for another content of it; {remedy}"
        )
    try:
        rows = [row for row in document["plan"]["rows"] if row["machine"] == HERE]
        predictions = tuple(
            Prediction(row["workers"], Interval(*row["range_test"]), _phase(row["search"]), _phase(row["promotion"]))
            for row in rows
        )
        currency = document["plan"].get("currency", "")  # plans of former versions do not say
        return Remembered(document["made_at"], document["host"], predictions, currency)
    except (LookupError, TypeError) as error:
        raise ConfigurationError(f"A remembered plan must be whole, but {path} is not: {error!r}; {remedy}") from error


def _phase(plain: dict[str, Any]) -> Phase:
    return Phase(*(Interval(*plain[quantity]) for quantity in ("epochs", "wall", "busy")))


PAUSE = 60.0
"""Seconds without anybody at work that count as a pause: workers start within it."""

Span = tuple[float, float]


class Part(NamedTuple):
    """Of the search, or of all promotions: epochs done, wall seconds without pauses, busy seconds."""

    epochs: int = 0
    wall: float = 0.0
    busy: float = 0.0


@dataclass(frozen=True)
class Spent:
    """By a study up to now.

    Attributes:
        began: when it was opened, seconds since 1970.
        workers: most that were at work on its trials at once.
        search: with the LR range test. promotion: all of them.
        open_runs: that are still to be finished.
    """

    began: float
    workers: int
    search: Part
    promotion: Part
    open_runs: int


def spending(ledger: Ledger, study: str) -> Spent:
    """Raises StudyError for an unknown study."""
    began = find_study(ledger, study).row.created_at
    with ledger.read() as session:
        now = database_time(session)
        runs = list(session.scalars(select(RunRow).where(RunRow.study == study)))
        attempts = session.execute(
            select(RunRow.promotion, AttemptRow.started_at, AttemptRow.ended_at)
            .join(AttemptRow, AttemptRow.run == RunRow.id)
            .where(RunRow.study == study)
        ).all()
        query = select(PromotionRow.number, PromotionRow.created_at).where(PromotionRow.study == study)
        opened = {0: began} | {row[0]: row[1] for row in session.execute(query)}
    parts = {}
    for number, since in opened.items():
        own = [run for run in runs if run.promotion == number]
        spans = [(start, end or now) for promotion, start, end in attempts if promotion == number]
        parts[number] = Part(
            sum(run.epochs_done for run in own), _without_pauses(since, spans), sum(run.busy_seconds for run in own)
        )
    return Spent(
        began=began,
        workers=_at_once((start, end or now) for number, start, end in attempts if number == 0),
        search=parts[0],
        promotion=Part(*map(sum, zip(Part(), *(parts[number] for number in parts.keys() - {0}), strict=True))),
        open_runs=sum(run.finished_at is None for run in runs),
    )


def comparison(remembered: Remembered, spent: Spent, price_per_hour: float | None) -> pd.DataFrame:
    """One row a quantity: quantity, unit, low, expected, high, spent, ratio (spent / expected), inside.

    Units are epochs, seconds, hours and the price's currency.
    """
    plan = remembered.of(spent.workers)
    search_wall = plan.range_test.plus(plan.search.wall)
    busy = plan.search.busy.plus(plan.promotion.busy)
    spent_busy = spent.search.busy + spent.promotion.busy
    rows = [
        ("epochs of trials", "epochs", plan.search.epochs, spent.search.epochs),
        ("epochs of promoted runs", "epochs", plan.promotion.epochs, spent.promotion.epochs),
        ("wall time of the search", "s", search_wall, spent.search.wall),
        ("wall time of the promotion", "s", plan.promotion.wall, spent.promotion.wall),
        ("wall time", "s", search_wall.plus(plan.promotion.wall), spent.search.wall + spent.promotion.wall),
        ("accelerator hours", "h", busy.times(1 / 3600), spent_busy / 3600),
    ]
    if price_per_hour is not None:
        rows.append(("cost", "money", busy.times(price_per_hour / 3600), spent_busy / 3600 * price_per_hour))
    frame = pd.DataFrame(
        [(quantity, unit, *predicted, float(used), predicted.holds(used)) for quantity, unit, predicted, used in rows],
        columns=["quantity", "unit", "low", "expected", "high", "spent", "inside"],
    )
    frame.insert(6, "ratio", frame["spent"] / frame["expected"].where(frame["expected"] != 0))
    return frame


def _without_pauses(since: float, spans: Sequence[Span]) -> float:
    """Seconds from `since` to the last span's end, less the gaps between spans that are pauses."""
    if not spans:
        return 0.0
    ordered = sorted(spans)
    reached, paused = ordered[0][1], 0.0
    for start, end in ordered:
        gap = start - reached
        paused += gap if gap > PAUSE else 0.0
        reached = max(reached, end)
    return reached - since - paused


def _at_once(spans: Iterable[Span]) -> int:
    """The most spans that overlap; one ends before another begins at the same moment."""
    moments = sorted(moment for start, end in spans for moment in ((start, 1), (end, -1)))
    most = now = 0
    for _, change in moments:
        now += change
        most = max(most, now)
    return max(1, most)
