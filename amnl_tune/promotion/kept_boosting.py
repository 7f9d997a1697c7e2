"""A promotion's gradient boosting among the artifacts: an ONNX file, and beside it as JSON what belongs to it."""

import json
import logging

from amnl_tune.artifacts import Artifacts
from amnl_tune.documents import brief, from_json, text_of
from amnl_tune.errors import StorageError
from amnl_tune.files import canonical_hash
from amnl_tune.masking import masked
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.boosting import Boosting, fit_boosting

logger = logging.getLogger(__name__)


def kept_boosting(artifacts: Artifacts, study: str, number: int, data: PreparedData) -> Boosting:
    """The promotion's gradient boosting: read where it is kept, else fitted on the training engines and kept.

    Two processes that fit at once keep equal models. One of other engines, left by a study of the same name, is
    replaced.

    Raises:
        StorageError: the location does not answer, or cannot be written.
    """
    told = [data.sha256, data.training_units.tolist(), data.scaling.to_plain()]
    fitted_on = canonical_hash(told, sort_keys=False)
    known = read_boosting(artifacts, study, number, fitted_on=fitted_on)
    if known:
        return known
    logger.info("fitting gradient boosting on the history of %d engines", len(data.training_units))
    boosting = fit_boosting(data)
    logger.info("gradient boosting fitted in %.1f s", boosting.fit_seconds)
    write_boosting(artifacts, study, number, boosting, fitted_on=fitted_on)
    return boosting


def read_boosting(artifacts: Artifacts, study: str, number: int, *, fitted_on: str | None = None) -> Boosting | None:
    """A promotion's gradient boosting; None if it is not there, or was fitted on other data than `fitted_on`.

    Raises:
        StorageError: the location does not answer.
    """
    name = artifacts.boosting(study, number)
    beside, onnx = artifacts.store.read(f"{name}.json"), artifacts.store.read(name)
    if beside is None or onnx is None:
        return None
    try:
        told = from_json(text_of(beside))
        if fitted_on not in (None, told["fitted_on"]):
            return None
        return Boosting(onnx=onnx, names=tuple(told["names"]), fit_seconds=float(told["fit_seconds"]))
    except (LookupError, TypeError, ValueError) as error:
        raise StorageError(
            f"A promotion's boosting must be as it was written, but {name}.json in {masked(artifacts.store.url)} is "
            f"not: {brief(str(error))}; remove it, and it is fitted again"
        ) from error


def write_boosting(artifacts: Artifacts, study: str, number: int, boosting: Boosting, *, fitted_on: str) -> None:
    """Keeps it; the JSON comes last, so that a reader finds both or none. Raises StorageError."""
    name = artifacts.boosting(study, number)
    told = {"names": list(boosting.names), "fit_seconds": boosting.fit_seconds, "fitted_on": fitted_on}
    artifacts.store.write(name, boosting.onnx)
    artifacts.store.write(f"{name}.json", json.dumps(told).encode())
