"""A study's tables, on their way into other tools: CSV or Parquet, by the file's ending."""

import io
import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import pandas as pd
from sqlalchemy import String, select, type_coerce

from amnl_tune.errors import ConfigurationError
from amnl_tune.files import write_content
from amnl_tune.installation import install_extra
from amnl_tune.results.frames import epochs_frame, trials_frame
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.models import AttemptRow, RunRow, WorkerRow
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.promotion import latest_promotion

__all__ = ["TableName", "study_table", "write_table"]


class TableName(StrEnum):
    """What there is of a study."""

    TRIALS = "trials"
    EPOCHS = "epochs"
    PROMOTED = "promoted"
    PROMOTED_EPOCHS = "promoted-epochs"
    ATTEMPTS = "attempts"


def study_table(ledger: Ledger, study: str, name: TableName) -> pd.DataFrame:
    """One row a trial, an epoch, a run of the newest promotion or an epoch of it, or an attempt.

    Raises:
        StudyError: unknown study.
    """
    find_study(ledger, study)
    promotion = latest_promotion(ledger, study)
    number = promotion.number if promotion else -1
    made: dict[TableName, Callable[[], pd.DataFrame]] = {
        TableName.TRIALS: lambda: trials_frame(ledger, study),
        TableName.EPOCHS: lambda: epochs_frame(ledger, study),
        TableName.PROMOTED: lambda: trials_frame(ledger, study, promotion=number),
        TableName.PROMOTED_EPOCHS: lambda: epochs_frame(ledger, study, promotion=number),
        TableName.ATTEMPTS: lambda: attempts_frame(ledger, study),
    }
    return made[name]()


def attempts_frame(ledger: Ledger, study: str) -> pd.DataFrame:
    """One row a worker's turn at a run, by time: run, worker, host, from when to when (seconds since 1970), outcome."""
    columns = ["trial", "promotion", "seed", "worker", "host", "device", "started_at", "ended_at", "epochs_before",
               "epochs_after", "outcome", "reason"]  # fmt: skip
    with ledger.read() as session:
        query = (
            select(RunRow.trial_number, RunRow.promotion, RunRow.seed, AttemptRow.worker, WorkerRow.host,
                   WorkerRow.device, AttemptRow.started_at, AttemptRow.ended_at, AttemptRow.epochs_before,
                   AttemptRow.epochs_after, type_coerce(AttemptRow.outcome, String), AttemptRow.reason)
            .select_from(AttemptRow)
            .join(RunRow, RunRow.id == AttemptRow.run)
            .outerjoin(WorkerRow, WorkerRow.id == AttemptRow.worker)
            .where(RunRow.study == study)
            .order_by(AttemptRow.started_at)
        )  # fmt: skip
        rows = [tuple(row) for row in session.execute(query)]
    return pd.DataFrame(rows, columns=columns)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Writes `path`, whose ending is .csv or .parquet.

    Raises:
        ConfigurationError: another ending, or pyarrow is not installed. StorageError: it cannot be written.
    """
    match path.suffix:
        case ".csv":
            write_content(path, frame.to_csv(index=False).encode())
        case ".parquet":
            content = io.BytesIO()
            try:
                _uniform(frame).to_parquet(content, index=False, engine="pyarrow")
            except ImportError as error:
                raise ConfigurationError(
                    f"A Parquet file needs pyarrow, but it is not installed; run `{install_extra('parquet')}`, "
                    f"or write {path.with_suffix('.csv').name}"
                ) from error
            write_content(path, content.getvalue())
        case other:
            raise ConfigurationError(f"A table's file must end in .csv or .parquet, but got {other!r}; rename {path}")


def _uniform(frame: pd.DataFrame) -> pd.DataFrame:
    """Parquet's columns have one type: where a setting has several, its values become JSON."""
    columns = {
        name: [None if _absent(value) else json.dumps(value) for value in frame[name]]
        if frame[name].dropna().map(type).nunique() > 1
        else frame[name]
        for name in frame
    }
    return pd.DataFrame(columns)


def _absent(value: object) -> bool:
    return value is None or value != value  # noqa: PLR0124  (NaN)
