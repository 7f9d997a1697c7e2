"""The last plan of each study, kept in the home folder until its study has been run."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amnl_tune.documents import from_json, text_of
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.files import write_content
from amnl_tune.results.planning.estimate import Phase
from amnl_tune.results.planning.interval import Interval
from amnl_tune.results.planning.plan import HERE, Plan
from amnl_tune.search.host import host_name
from amnl_tune.search.spec import StudySpec

__all__ = ["Prediction", "Remembered", "place_of", "recall", "remember"]

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

    def of(self, workers: int) -> Prediction:
        """For that number of workers, or the nearest."""
        return min(self.predictions, key=lambda one: abs(one.workers - workers))

    @property
    def made(self) -> str:
        """When, for people."""
        return f"{datetime.fromtimestamp(self.made_at, UTC):%Y-%m-%d %H:%M} UTC"


def place_of(home: Path, study: str) -> Path:
    """The file of a study's plan."""
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
        return Remembered(document["made_at"], document["host"], tuple(_prediction(row) for row in rows))
    except (LookupError, TypeError) as error:
        raise ConfigurationError(f"A remembered plan must be whole, but {path} is not: {error!r}; {remedy}") from error


def _prediction(row: dict[str, Any]) -> Prediction:
    return Prediction(
        workers=row["workers"],
        range_test=Interval(*row["range_test"]),
        search=_phase(row["search"]),
        promotion=_phase(row["promotion"]),
    )


def _phase(plain: dict[str, Any]) -> Phase:
    return Phase(Interval(*plain["epochs"]), Interval(*plain["wall"]), Interval(*plain["busy"]))
