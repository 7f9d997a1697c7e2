"""A run's epochs for TensorBoard and MLflow.

MLflow has a run for each promoted one, which a resumed one goes on with. It never ends a training: where it does not
answer, a warning says so, once, and the run goes on without it.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from amnl_tune.database.models import EPOCH_FIGURES, RunRow
from amnl_tune.errors import ConfigurationError
from amnl_tune.installation import install_extra
from amnl_tune.masking import masked, without_secrets
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import EpochResult

EpochLog = Callable[[EpochResult], None]
"""Takes one epoch after the other."""


@contextmanager
def scalar_log(directory: Path | None, *, first_epoch: int = 1) -> Iterator[EpochLog]:
    """Writes each epoch's scalars to `directory`; None writes nothing.

    `first_epoch` of a resumed run makes TensorBoard drop what an earlier attempt wrote from there on.
    """
    if directory is None:
        yield lambda epoch: None
        return
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  (slow to import, and optional by a flag)

    with SummaryWriter(str(directory), purge_step=first_epoch) as writer:

        def write(epoch: EpochResult) -> None:
            for name, tag in EPOCH_FIGURES.items():
                writer.add_scalar(tag, getattr(epoch, name), epoch.number)
            writer.add_scalar("samples_per_second", epoch.samples / epoch.seconds, epoch.number)
            writer.flush()

        yield write


logger = logging.getLogger(__name__)

RUN_TAG = "amnl_tune.run"


def require_mlflow(uri: str | None) -> None:
    """Raises ConfigurationError if a tracking URI is set and the extra is not installed."""
    if uri and find_spec("mlflow") is None:
        raise ConfigurationError(
            f"`MLFLOW_TRACKING_URI` needs MLflow, but it is not installed; run `{install_extra('mlflow')}`, or unset it"
        )


@contextmanager
def mlflow_log(
    uri: str | None, run: RunRow, config: RunConfig, *, data_sha256: str, before: Sequence[dict[str, Any]] = ()
) -> Iterator[EpochLog]:
    """What to call with each epoch of a promoted run.

    Args:
        uri: of the tracking server or database; None, or a trial: nothing is logged.
        run, config, data_sha256: what is tagged. before: epochs that an earlier attempt trained, perhaps unheard.
    """
    if uri is None or run.is_trial:
        yield lambda epoch: None
        return
    log = _Log(uri, run, config, data_sha256)
    for row in before:
        log.put(row)

    def put(epoch: EpochResult) -> None:
        log.put(epoch.plain())
        if epoch.last:
            log.end(epoch)

    yield put


class _Log:
    """One MLflow run; silent from the first failure on."""

    def __init__(self, uri: str, run: RunRow, config: RunConfig, data_sha256: str) -> None:
        self.uri, self.failed, self.known = uri, False, set[int]()
        tags = {
            RUN_TAG: f"{run.study}/promotion-{run.promotion}/run-{run.slot}",
            "amnl_tune.study": run.study,
            "amnl_tune.trial": str(run.trial_number),
            "amnl_tune.promotion": str(run.promotion),
            "amnl_tune.origin": str(run.origin),
            "amnl_tune.data_sha256": data_sha256,
            "seed": str(run.seed),
        }
        self._try(lambda: self._open(run, config, tags))

    def _open(self, run: RunRow, config: RunConfig, tags: dict[str, str]) -> None:
        from mlflow import MlflowClient  # noqa: PLC0415  (an extra; seconds to import)
        from mlflow.entities import Param  # noqa: PLC0415

        self.client = MlflowClient(tracking_uri=self.uri)
        experiment = self.client.get_experiment_by_name(run.study)
        number = experiment.experiment_id if experiment else self.client.create_experiment(run.study)
        found = self.client.search_runs([number], f"tags.`{RUN_TAG}` = '{tags[RUN_TAG]}'")
        if found:
            self.id = found[0].info.run_id
            self.known = {point.step for point in self.client.get_metric_history(self.id, "learning_rate")}
            return
        name = f"trial {run.trial_number}, seed {run.seed}"
        self.id = self.client.create_run(number, tags=tags, run_name=name).info.run_id
        params = [Param(key, str(value)) for key, value in config.plain().items()]
        self.client.log_batch(self.id, params=params)

    def put(self, row: dict[str, Any]) -> None:
        """One epoch's figures, unless they are there already."""
        if row["number"] not in self.known:
            self.known.add(row["number"])
            self._try(lambda: self._write({name: row[name] for name in EPOCH_FIGURES if name in row}, row["number"]))

    def end(self, epoch: EpochResult) -> None:
        """The run's last epoch: the full validation pass, and that it is over."""
        final = epoch.final.plain() if epoch.final else {}
        figures = {f"final_{name}": value for name, value in final.items() if value is not None}
        self._try(lambda: self._write(figures, epoch.number))
        self._try(lambda: self.client.set_terminated(self.id, "FINISHED" if epoch.final else "FAILED"))

    def _write(self, figures: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric  # noqa: PLC0415

        now = time.time_ns() // 1_000_000
        metrics = [Metric(name, value, now, step) for name, value in figures.items() if math.isfinite(value)]
        self.client.log_batch(self.id, metrics=metrics)

    def _try(self, step: Callable[[], None]) -> None:
        if self.failed:
            return
        try:
            step()
        except Exception as error:  # whatever MLflow, its server or its database raise: training goes on
            self.failed = True
            reason = without_secrets((str(error).splitlines() or [type(error).__name__])[0], self.uri)
            logger.warning("MLflow at %s does not take the run, which goes on without it: %s", masked(self.uri), reason)
