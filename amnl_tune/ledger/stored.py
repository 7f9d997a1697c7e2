"""What the database keeps as JSON, read back: one row that this version cannot read spoils no other."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from amnl_tune.database.models import RunRow, StudyRow
from amnl_tune.documents import brief
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.studies.names import require_study_name
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import RunConfig

REMEDY = "use the version of amnl-tune that wrote it; other studies are not touched by this"


def stored_spec(row: StudyRow) -> StudySpec:
    """A study's file as it was frozen.

    Raises:
        StudyError: this version cannot read it, or it is not this study's.
    """
    require_study_name(row.name)
    try:
        spec = StudySpec.from_json(row.spec)
    except ValidationError as error:
        raise _unreadable(f"study file of {row.name!r}", error) from error
    except ConfigurationError as error:
        raise StudyError(
            f"The stored study file of {row.name!r} must be readable by this version, but: {error}", REMEDY
        ) from error
    if spec.name != row.name:
        raise StudyError(
            f"The stored study file of {row.name!r} must be its own, but it is of {spec.name!r}",
            "restore a backup",
        )
    return spec


def told_apart(rows: Iterable[StudyRow]) -> tuple[dict[str, StudySpec], dict[str, StudyError]]:
    """Studies that this version can read, by name, and why it cannot read the others."""
    specs: dict[str, StudySpec] = {}
    problems: dict[str, StudyError] = {}
    for row in rows:
        try:
            specs[row.name] = stored_spec(row)
        except StudyError as error:
            problems[row.name] = error
    return specs, problems


def stored_config(run: RunRow) -> RunConfig:
    """What a run trains with.

    Raises:
        StudyError: this version cannot read it.
    """
    return read_config(run.config, run.study, run.slot)


def read_config(config: str | None, study: str, slot: int) -> RunConfig:
    """As `stored_config`, of a run's columns."""
    try:
        return RunConfig.model_validate_json(config or "")
    except ValidationError as error:
        raise _unreadable(f"configuration of study {study!r}, slot {slot},", error) from error


@contextmanager
def reading(what: str) -> Iterator[None]:
    """What is read within comes from a column of JSON. Raises StudyError: not of a form that this version knows."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise StudyError(
            f"The stored {what} must be readable by this version, but: {type(error).__name__}: {brief(str(error))}",
            REMEDY,
        ) from error


def _unreadable(what: str, error: ValidationError) -> StudyError:
    first, others = error.errors()[0], error.error_count() - 1
    where = ".".join(str(part) for part in first["loc"])
    problem = f"{where}: {first['msg']}" if where else first["msg"]
    more = f" (and {others} more)" if others else ""
    return StudyError(f"The stored {what} must be readable by this version, but {problem}{more}", REMEDY)
