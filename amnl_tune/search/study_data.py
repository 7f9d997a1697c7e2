"""A study's own data, wherever they are needed again: by workers, for the score on the test engines, for the export."""

from amnl_tune.errors import StudyError
from amnl_tune.rul.cache import cached_prepare
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.ledger.models import StudyRow
from amnl_tune.search.spec import StudySpec

__all__ = ["study_data"]


def study_data(row: StudyRow, spec: StudySpec, source: FleetSource, artifacts: Artifacts) -> PreparedData:
    """The training engines of the study, prepared.

    Raises:
        StudyError: what is found under the data set's name is not what the study was made on.
        DataError, StorageError: as `FleetSource.training` and `cached_prepare`.
    """
    fleet = source.training(row.dataset)
    if fleet.sha256 != row.data_sha256:
        raise StudyError(
            f"A study must train on the study's data and stay on them, but {row.dataset} here has SHA-256 "
            f"{fleet.sha256[:12]} and study {row.name!r} was made on {row.data_sha256[:12]}; set --data-dir to the "
            "study's data"
        )
    return cached_prepare(fleet, spec.run_config(spec.incumbent_parameters()), artifacts.prepared)
