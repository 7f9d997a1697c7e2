"""Where the files of a study's runs are: those that other machines need by URL, the others under `home`."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from amnl_tune.documents import brief, from_json, text_of
from amnl_tune.errors import StorageError
from amnl_tune.masking import masked
from amnl_tune.search.ledger.models import RunRow
from amnl_tune.search.store import ArtifactStore
from amnl_tune.training.boosting import Boosting

__all__ = ["Artifacts"]


@dataclass(frozen=True)
class Artifacts:
    """Places of files.

    Attributes:
        home: the machine-local folder.
        url: of checkpoints and weights, for every machine of a study the same; None: `home`/artifacts.
    """

    home: Path
    url: str | None = field(default=None, repr=False)

    @cached_property
    def store(self) -> ArtifactStore:
        """Checkpoints and weights. Names in it: STUDY/trial-00012/..., STUDY/promotion-001-run-02/..."""
        return ArtifactStore(self.url or str((self.home / "artifacts").absolute()))

    @property
    def prepared(self) -> Path:
        """Cache of prepared data."""
        return self.home / "prepared"

    def folder(self, run: RunRow) -> str:
        """A run's folder in the store."""
        return f"{run.study}/{self._name(run)}"

    def trial_folder(self, study: str, number: int) -> str:
        """A trial's folder in the store."""
        return f"{study}/trial-{number:05d}"

    def weights(self, run: RunRow) -> str:
        """A promoted run's best weights in the store, kept when it ends."""
        return f"{self.folder(run)}/model.safetensors"

    def read_weights(self, run: RunRow) -> bytes:
        """A promoted run's weights, a safetensors file's content.

        Raises:
            StorageError: they are not there, or the location does not answer.
        """
        content = self.store.read(self.weights(run))
        if content is None:
            raise StorageError(
                f"A promoted run's weights must be readable, but {self.weights(run)} is not in "
                f"{masked(self.store.url)}; set --artifacts to where the study's workers keep theirs"
            )
        return content

    def boosting(self, study: str, number: int) -> str:
        """A promotion's gradient boosting in the store, ONNX; what belongs to it stands beside it as JSON."""
        return f"{study}/promotion-{number:03d}/boosting.onnx"

    def read_boosting(self, study: str, number: int, *, fitted_on: str | None = None) -> Boosting | None:
        """A promotion's gradient boosting; None if it is not there, or was fitted on other data than `fitted_on`.

        Raises:
            StorageError: the location does not answer.
        """
        name = self.boosting(study, number)
        beside, onnx = self.store.read(f"{name}.json"), self.store.read(name)
        if beside is None or onnx is None:
            return None
        try:
            told = from_json(text_of(beside))
            if fitted_on not in (None, told["fitted_on"]):
                return None
            return Boosting(onnx=onnx, names=tuple(told["names"]), fit_seconds=float(told["fit_seconds"]))
        except (LookupError, TypeError, ValueError) as error:
            raise StorageError(
                f"A promotion's boosting must be as it was written, but {name}.json in {masked(self.store.url)} is "
                f"not: {brief(str(error))}; remove it, and it is fitted again"
            ) from error

    def write_boosting(self, study: str, number: int, boosting: Boosting, *, fitted_on: str) -> None:
        """Keeps it; the JSON comes last, so that a reader finds both or none. Raises StorageError."""
        name = self.boosting(study, number)
        told = {"names": list(boosting.names), "fit_seconds": boosting.fit_seconds, "fitted_on": fitted_on}
        self.store.write(name, boosting.onnx)
        self.store.write(f"{name}.json", json.dumps(told).encode())

    def scalars(self, run: RunRow) -> Path:
        """TensorBoard's folder of a run."""
        return self.home / "tensorboard" / run.study / self._name(run)

    def log(self, study: str, worker: str) -> Path:
        """Where a launched worker's output goes."""
        return self.home / "logs" / study / f"{worker}.log"

    def _name(self, run: RunRow) -> str:
        if run.is_trial:
            return f"trial-{run.trial_number:05d}"
        return f"promotion-{run.promotion:03d}-run-{run.slot:02d}"
