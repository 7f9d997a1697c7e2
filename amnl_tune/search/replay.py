"""A run again, from its record: is every epoch the same, and if not, what is different here?"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sqlalchemy import select

from amnl_tune.database.models import EPOCH_FIGURES, AttemptRow, EpochRow, RunRow, WorkerRow
from amnl_tune.errors import StudyError
from amnl_tune.host import host_name
from amnl_tune.ledger.promotions import find_run
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import Study
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.config import Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import EpochResult, fit
from amnl_tune.training.precision import supported
from amnl_tune.version import __version__


@dataclass(frozen=True)
class Record:
    """What the ledger holds of a run.

    Attributes:
        run: its row. epochs: the learning curve, from `first` on (a promoted run may go on from its trial).
        workers: those that trained it, in turn. precision: that it computed in; None: not recorded (schema 0002).
    """

    run: RunRow
    epochs: tuple[EpochRow, ...]
    workers: tuple[WorkerRow, ...]
    precision: Precision | None


@dataclass(frozen=True)
class Deviation:
    """A figure of an epoch that is not what was recorded; None: not finite."""

    epoch: int
    name: str
    recorded: float | None
    replayed: float | None


@dataclass(frozen=True)
class Replay:
    """A replay's outcome.

    Attributes:
        epochs: compared. deviations: all figures that differ by as much as a bit. differences: in words, between the
            record and here; what they are there for if there are deviations.
    """

    epochs: int
    deviations: tuple[Deviation, ...]
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Bit for bit."""
        return not self.deviations


def recorded_run(study: Study, trial: int, *, seed: int | None = None) -> Record:
    """A trial's record; with `seed` that of its full run in the newest promotion that has one.

    Raises:
        StudyError: there is no such run, or it has no epoch.
    """
    run = find_run(study, trial, seed)
    with study.ledger.read() as session:
        epochs = session.scalars(select(EpochRow).where(EpochRow.run == run.id).order_by(EpochRow.number)).all()
        attempts = session.scalars(select(AttemptRow).where(AttemptRow.run == run.id).order_by(AttemptRow.fence)).all()
        found = {
            worker.id: worker for worker in session.scalars(select(WorkerRow).where(WorkerRow.study == study.name))
        }
        if not epochs or run.config is None:
            raise StudyError(
                f"A replay needs an epoch to compare, but trial {trial} of {study.name!r} has none; run it first"
            )
    precision = json.loads(run.result or "{}").get("precision")
    workers = tuple(found[attempt.worker] for attempt in attempts if attempt.worker in found)
    return Record(run, tuple(epochs), workers, Precision(precision) if precision else None)


def replay(
    record: Record, data: PreparedData, *, device: torch.device, epoch_done: Callable[[int], None] = lambda _: None
) -> Replay:
    """Trains the run again from its first epoch and compares each with the record. Writes nothing.

    Args:
        record: of the run. data: the study's. device: where to train. epoch_done: told each epoch's number.
    """
    config = stored_config(record.run)
    precision = record.precision or Precision.FP32
    if precision not in supported(device):
        precision = Precision.FP32
    if record.workers:
        torch.set_num_threads(record.workers[-1].threads)
    recorded = {epoch.number: epoch for epoch in record.epochs}
    last, deviations, compared = max(recorded), list[Deviation](), 0
    for epoch in fit(config, data, execution=Execution(device, precision)):
        epoch_done(epoch.number)
        if epoch.number in recorded:
            compared += 1
            deviations += _deviations(recorded[epoch.number], epoch)
        if epoch.number == last:
            break
    return Replay(compared, tuple(deviations), tuple(_differences(record, config, device, precision)))


def _deviations(recorded: EpochRow, epoch: EpochResult) -> list[Deviation]:
    now = {name: getattr(epoch, name) for name in EPOCH_FIGURES}
    finite = {name: value if math.isfinite(value) else None for name, value in now.items()}
    pairs = [(name, getattr(recorded, name), value) for name, value in finite.items()]
    return [Deviation(epoch.number, *pair) for pair in pairs if pair[1] != pair[2]]


def _differences(record: Record, config: RunConfig, device: torch.device, precision: Precision) -> list[str]:
    """Between the record and here, as "what: then, here now"."""
    if not record.workers:
        return ["its workers are not in the ledger any more: versions, device and threads of the record are unknown"]
    found = []
    if len({worker.id for worker in record.workers}) > 1:
        found.append(f"{len(record.workers)} attempts of several workers took part in it")
    for worker in {worker.id: worker for worker in record.workers}.values():
        here: dict[str, tuple[Any, Any]] = {
            "amnl-tune": (worker.version, __version__),
            "torch": (worker.torch_version or "unknown", torch.__version__),
            "device": (worker.device, str(device)),
            "threads": (worker.threads, torch.get_num_threads()),
            "machine": (worker.host, host_name()),
        }
        found += [f"{name}: {then}, here {now}" for name, (then, now) in here.items() if then != now]
    if record.precision is None:
        found.append(f"precision: not recorded, here {precision}")
    elif record.precision is not precision:
        found.append(f"precision: {record.precision}, here {precision}")
    if record.epochs[0].number > 1 and config.horizon is not None:
        found.append(f"it went on from its trial after epoch {record.epochs[0].number - 1}")
    return list(dict.fromkeys(found))
