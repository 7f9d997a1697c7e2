"""Where the files of a study's runs are, below the artifact folder."""

from dataclasses import dataclass
from pathlib import Path

from amnl_tune.search.ledger.models import RunRow

__all__ = ["Artifacts"]


@dataclass(frozen=True)
class Artifacts:
    """All under `home`, the machine-local folder."""

    home: Path

    @property
    def prepared(self) -> Path:
        """Cache of prepared data."""
        return self.home / "prepared"

    def checkpoint(self, run: RunRow) -> Path:
        """A run's latest state."""
        return self._run(run) / "checkpoint.pt"

    def trial_checkpoint(self, study: str, number: int) -> Path:
        """Where the trial that a promoted run comes from left its state, if its horizon lets it go on."""
        return self.home / "artifacts" / study / f"trial-{number:05d}" / "checkpoint.pt"

    def weights(self, run: RunRow) -> Path:
        """A promoted run's best weights, kept when it ends."""
        return self._run(run) / "model.safetensors"

    def scalars(self, run: RunRow) -> Path:
        """TensorBoard's folder of a run."""
        return self.home / "tensorboard" / run.study / self._name(run)

    def log(self, study: str, worker: str) -> Path:
        """Where a launched worker's output goes."""
        return self.home / "logs" / study / f"{worker}.log"

    def _run(self, run: RunRow) -> Path:
        if run.is_trial and run.trial_number is not None:
            return self.trial_checkpoint(run.study, run.trial_number).parent
        return self.home / "artifacts" / run.study / self._name(run)

    def _name(self, run: RunRow) -> str:
        if run.is_trial:
            return f"trial-{run.trial_number:05d}"
        return f"promotion-{run.promotion:03d}-run-{run.slot:02d}"
