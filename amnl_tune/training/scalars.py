"""TensorBoard scalars of a run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from amnl_tune.training.fitting import EpochResult

__all__ = ["ScalarLog", "scalar_log"]


class ScalarLog(Protocol):
    """Takes one epoch after the other."""

    def __call__(self, epoch: EpochResult) -> None: ...


@contextmanager
def scalar_log(directory: Path | None, *, first_epoch: int = 1) -> Iterator[ScalarLog]:
    """Writes each epoch's scalars to `directory`; None writes nothing.

    `first_epoch` of a resumed run makes TensorBoard drop what an earlier attempt wrote from there on.
    """
    if directory is None:
        yield lambda epoch: None
        return
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (slow to import, and optional by a flag)

    with SummaryWriter(str(directory), purge_step=first_epoch) as writer:

        def write(epoch: EpochResult) -> None:
            for tag, value in (
                ("loss/rul", epoch.train_rul_loss),
                ("loss/health", epoch.train_health_loss),
                ("validation/rmse", epoch.validation_rmse),
                ("validation/best_rmse", epoch.best_validation_rmse),
                ("learning_rate", epoch.learning_rate),
                ("samples_per_second", epoch.samples / epoch.seconds),
            ):
                writer.add_scalar(tag, value, epoch.number)
            writer.flush()

        yield write
