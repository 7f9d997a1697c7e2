"""A study's tables and configurations on their way elsewhere: CSV, Parquet, JSON, TOML."""

import io
import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import tomli_w
import yaml

from amnl_tune.database.models import RunRow
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.files import write_content
from amnl_tune.installation import install_extra
from amnl_tune.ledger.promotions import best_trials, latest_promotion, promoted_candidates
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import Study
from amnl_tune.results.frames import attempts_frame, epochs_frame, trials_frame
from amnl_tune.training.config import RunConfig


def configurations(study: Study, *, trial: int | None = None, top: int | None = None) -> list[dict[str, Any]]:
    """One document a configuration: study, trial, validation_rmse (cycles), run (every setting of the RunConfig).

    Args:
        trial: this one, complete or not. top: the best so many complete trials. Neither: the winner of the newest
            promotion, at full length; without a promotion the best trial.

    Raises:
        StudyError: no such study or trial, or too few complete ones.
    """
    if trial is None and top is None:
        return [_document(_winner(study))]
    if top is not None:
        best = best_trials(study)
        if len(best) < top:
            raise StudyError(
                f"The best {top} trials must be complete, but study {study.name!r} has {len(best)} of them; lower --top"
            )
        return [_document(run) for run in best[:top]]
    with study.ledger.read() as session:
        runs = session.query(RunRow).filter_by(study=study.name, promotion=0, trial_number=trial).all()
    if not runs or runs[0].config is None:
        raise StudyError(
            f"A trial must exist, but study {study.name!r} has no trial {trial}; see `amnl-tune study "
            f"trials {study.name}`"
        )
    return [_document(runs[0])]


def _winner(study: Study) -> RunRow:
    promotion = latest_promotion(study)
    candidates = promoted_candidates(study, promotion.number) if promotion else []
    if candidates and candidates[0].complete:
        return candidates[0].complete[0]
    best = best_trials(study)
    if not best:
        raise StudyError(f"A configuration needs a complete trial, but study {study.name!r} has none; run it first")
    return best[0]


def _document(run: RunRow) -> dict[str, Any]:
    config = stored_config(run)
    return {"study": run.study, "trial": run.trial_number, "validation_rmse": run.value, "run": config.plain()}


def in_format(documents: Sequence[dict[str, Any]], form: Literal["toml", "json", "yaml"]) -> str:
    """One document as it is, several as a list (in TOML `[[configuration]]`).

    TOML has no null: a setting without a value is "none" there, a figure without one is left out.
    """
    if form == "toml":
        plain = [_in_toml(document) for document in documents]
        return tomli_w.dumps(plain[0] if len(plain) == 1 else {"configuration": plain})
    content = documents[0] if len(documents) == 1 else list(documents)
    return json.dumps(content, indent=2) + "\n" if form == "json" else yaml.safe_dump(content, sort_keys=False)


def _in_toml(document: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in document.items() if value is not None}
    return known | {"run": RunConfig.build(document["run"]).toml()}


class TableName(StrEnum):
    """What there is of a study."""

    TRIALS = "trials"
    EPOCHS = "epochs"
    PROMOTED = "promoted"
    PROMOTED_EPOCHS = "promoted-epochs"
    ATTEMPTS = "attempts"


def study_table(study: Study, name: TableName) -> pd.DataFrame:
    """One row a trial, an epoch, a run of the newest promotion or an epoch of it, or an attempt.

    Raises:
        StudyError: unknown study.
    """
    promotion = latest_promotion(study)
    number = promotion.number if promotion else -1
    made: dict[TableName, Callable[[], pd.DataFrame]] = {
        TableName.TRIALS: lambda: trials_frame(study),
        TableName.EPOCHS: lambda: epochs_frame(study),
        TableName.PROMOTED: lambda: trials_frame(study, promotion=number),
        TableName.PROMOTED_EPOCHS: lambda: epochs_frame(study, promotion=number),
        TableName.ATTEMPTS: lambda: attempts_frame(study),
    }
    return made[name]()


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
