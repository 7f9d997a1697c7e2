"""What a check is given, and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.ledger.workers import Attendance


class Severity(StrEnum):
    """`error`: results or data are at risk. `warning`: slower, or at risk soon."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One fact about the service.

    Attributes:
        check: what was looked at. what: the fact. remedy: what to do; empty where nothing is to be done.
        fix: does it where that is safe, and returns what it did.
    """

    severity: Severity
    check: str
    what: str
    remedy: str = ""
    fix: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    @property
    def fixable(self) -> bool:
        """Whether `--fix` can help."""
        return self.fix is not None


@dataclass(frozen=True)
class Case:
    """One look at a storage whose schema is this version's.

    Attributes:
        study: look at this one only, where a check is about studies; None: all.
        workers: who has not left, of every study.
        artifacts: where files are.
        skew: this host's clock less the database's, in seconds.
    """

    ledger: Ledger
    study: str | None
    workers: tuple[Attendance, ...]
    artifacts: Artifacts
    skew: float

    @property
    def alive(self) -> tuple[Attendance, ...]:
        """Workers of every study that are there as far as anybody can tell."""
        return tuple(worker for worker in self.workers if worker.presence.is_alive)

    def of_study(self, workers: tuple[Attendance, ...]) -> tuple[Attendance, ...]:
        """Those of the study that is looked at."""
        return tuple(worker for worker in workers if self.study in {None, worker.study})
