"""A run's checkpoints in the artifact store: one a lease, so that a worker that lost its own spoils nobody's.

Beside them lie those that are kept on purpose, beyond the run's end: `epoch-00010.pt`, ... and `last.pt`.
"""

import copy
import logging
from typing import Any

from amnl_tune.artifacts import CHECKPOINT, ArtifactStore, checkpoint_name, kept_name
from amnl_tune.errors import CheckpointError
from amnl_tune.masking import masked
from amnl_tune.training.checkpoint import Checkpoint, load_checkpoint, serialized, snapshot
from amnl_tune.training.config import RunConfig
from amnl_tune.training.state import RunState

logger = logging.getLogger(__name__)


class Checkpoints:
    """The latest state of a run, its best weights within, under a name that tells the lease.

    Args:
        store: of the artifacts. folder: the run's in it.
        fence: of the lease under which this worker writes; 0: it only reads.
    """

    def __init__(self, store: ArtifactStore, folder: str, fence: int = 0) -> None:
        self.store, self.folder = store, folder
        self.own = f"{folder}/{checkpoint_name(fence)}"
        self._held: dict[str, Any] | None = None
        self._alone = False

    def latest(self, config: RunConfig, data_sha256: str, device: str) -> Checkpoint | None:
        """The newest whole checkpoint from which a run of `config` on these data can go on; None: start over."""
        for name in reversed(self._names()):
            content = self.store.read(name)
            if content is None:
                continue
            try:
                checkpoint = load_checkpoint(content, name, device)
                if checkpoint.continues_as(config, data_sha256):
                    return checkpoint
                raise CheckpointError(f"A checkpoint must be the run's own, but {name} is left over from another study")
            except CheckpointError as error:
                logger.warning("%s; looking for an earlier one", error)
        return None

    def write(self, state: RunState) -> None:
        """Keeps the state; what earlier leases left is removed then. Raises StorageError."""
        self._write(snapshot(state))

    def hold(self, state: RunState) -> None:
        """Keeps the state in memory, on its device, until the next `write`."""
        self._held = copy.deepcopy(snapshot(state))

    def write_held(self) -> None:
        """Writes what `hold` keeps, if it is newer than what was written. Raises StorageError."""
        if self._held is not None:
            self._write(self._held)

    def keep(self, state: RunState) -> None:
        """Keeps the state after this epoch for good. Raises StorageError."""
        self.store.write(f"{self.folder}/{kept_name(state.epoch)}", serialized(snapshot(state)))

    def keep_last(self, state: RunState) -> None:
        """Keeps the state after the run's last epoch for good. Raises StorageError."""
        self.store.write(f"{self.folder}/{kept_name(None)}", serialized(snapshot(state)))

    def kept(self, epoch: int | None) -> Checkpoint:
        """What `keep` has kept of an epoch; None: what `keep_last` has.

        Raises:
            CheckpointError: there is none, or it is damaged. StorageError: the location does not answer.
        """
        name = kept_name(epoch)
        content = self.store.read(f"{self.folder}/{name}")
        if content is None:
            there = [file for file in self.store.names(self.folder) if file.endswith(".pt")]
            raise CheckpointError(
                f"A checkpoint must have been kept, but there is no {self.folder}/{name} in {masked(self.store.url)} "
                f"(kept there: {', '.join(there) or 'none'}); set --artifacts, or `keep_every` in the study file"
            )
        return load_checkpoint(content, f"{self.folder}/{name}")

    def discard(self) -> None:
        """Removes all but those that are kept. Raises StorageError."""
        for name in self._names():
            self.store.delete(name)

    def _write(self, payload: dict[str, Any]) -> None:
        self.store.write(self.own, serialized(payload))
        self._held = None
        if not self._alone:
            for name in self._names():
                if name < self.own:
                    self.store.delete(name)
            self._alone = True

    def _names(self) -> list[str]:
        return [f"{self.folder}/{name}" for name in self.store.names(self.folder) if name.startswith(CHECKPOINT)]
