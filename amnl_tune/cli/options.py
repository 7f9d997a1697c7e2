"""Options that several commands share, so that each is written once; what is kept off screen and logs."""

import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from amnl_tune.bounds import MOST_THREADS
from amnl_tune.errors import StorageError
from amnl_tune.masking import without_secrets
from amnl_tune.settings import Settings

if TYPE_CHECKING:
    from amnl_tune.database.engine import Ledger
    from amnl_tune.ledger.studies import Study as KnownStudy


class DiscreetFormatter(logging.Formatter):
    """Log lines, tracebacks included, without the secrets of URLs, whichever library wrote them."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))


def quiet_libraries() -> None:
    """Optuna logs each study and trial; the display and the worker's log tell the same."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_name(name: str | None) -> str | None:
    """A name that may become a file's. Raises StudyError."""
    from amnl_tune.studies.names import require_study_name

    return None if name is None else require_study_name(name)


Storage = Annotated[
    str | None,
    typer.Option(help=r"URL of the shared storage: sqlite:///FILE or postgresql://...  \[env: AMNL_TUNE_STORAGE]"),
]
Home = Annotated[
    Path | None,
    typer.Option(help=r"Folder of database, artifacts, logs, data.  \[env: AMNL_TUNE_HOME; else storage/local]"),
]
DataDir = Annotated[Path | None, typer.Option(help=r"Folder to look for data in first.  \[env: AMNL_TUNE_DATA]")]
ArtifactUrl = Annotated[
    str | None,
    typer.Option(
        "--artifacts",
        help=r"Folder or URL (s3://, gs://) of checkpoints, weights.  \[env: AMNL_TUNE_ARTIFACTS; else HOME/artifacts]",
    ),
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:1, ...; else the study file's.")]
Precision = Annotated[
    Literal["auto", "fp32", "tf32", "bf16", "fp16", "fp16_pure"] | None,
    typer.Option(help="What the network computes in; auto: the quickest that is as good; else the study file's."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, max=MOST_THREADS, help="Threads a worker; else this machine's cores shared out.")
]
Tensorboard = Annotated[bool, typer.Option("--tensorboard/--no-tensorboard", help="Write TensorBoard scalars.")]
Json = Annotated[bool, typer.Option("--json", help="Print facts as JSON.")]
Study = Annotated[str, typer.Argument(metavar="STUDY", help="Name of a study.", callback=study_name)]
StudyFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="Study file (TOML); studies/... that came along are found from anywhere.")
]


def finite(value: float | None) -> float | None:
    """Of an option whose bounds alone would let NaN pass: it is neither below nor above them."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


def settings(
    storage: str | None, home: Path | None, data_dir: Path | None = None, artifacts: str | None = None
) -> Settings:
    """Where things are, of this invocation."""
    return Settings.resolve(os.environ, home=home, storage=storage, data_dir=data_dir, artifacts=artifacts)


def existing_ledger(places: Settings) -> "Ledger":
    """The ledger of a storage that must be there already. Raises StorageError."""
    from amnl_tune.database.engine import Ledger
    from amnl_tune.database.schema import require_schema

    require_schema(places.storage)
    return Ledger(places.storage)


def existing_study(places: Settings, name: str) -> "KnownStudy":
    """A study of a storage that must be there already. Raises StudyError, StorageError."""
    from amnl_tune.ledger.studies import find_study

    return find_study(existing_ledger(places), name)


@contextmanager
def ledger_if_any(places: Settings) -> Iterator["Ledger | None"]:
    """The ledger, closed afterwards; None where nothing has been run: a command that can do without one makes none."""
    try:
        ledger = existing_ledger(places)
    except StorageError:
        yield None
        return
    try:
        yield ledger
    finally:
        ledger.close()
