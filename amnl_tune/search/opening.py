"""Opening a study: schema, data, freezing, LR range test, in one step that any number of processes may take at once.

Configurations of `[warm_start]` are settled when the study is opened, so that every worker agrees on them though the
studies that they come from go on.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger
from amnl_tune.database.locks import exclusive
from amnl_tune.database.models import RunRow
from amnl_tune.database.optuna_storage import borrowed_storage, joined
from amnl_tune.database.schema import upgrade
from amnl_tune.errors import ConfigurationError, StudyError
from amnl_tune.ledger.artifact_probe import require_shared_artifacts
from amnl_tune.ledger.promotions import best_trials
from amnl_tune.ledger.range_tests import RangeTest, find_range_test
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import (
    Opening,
    Prior,
    Study,
    as_begun,
    find_study,
    freeze,
    settle_prior,
    study_names,
)
from amnl_tune.rul.preparation import PreparedData, cached_prepare
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.lr_prior import cached_range_test, prior_from
from amnl_tune.search.trials import create_optuna_study
from amnl_tune.studies.sections import HardwareTable
from amnl_tune.studies.spec import StudySpec
from amnl_tune.training.config import Precision, RangeTestOptions, RunConfig
from amnl_tune.training.execution import Execution, Team, resolve_device
from amnl_tune.training.precision import require_supported


def execution_of(
    hardware: HardwareTable,
    *,
    home: Path,
    device: str | None = None,
    precision: Precision | None = None,
    team: Team | None = None,
) -> Execution:
    """How runs are carried out here, from the study file's table; `device` and `precision` override it.

    Raises:
        StudyError: a CUDA device that is not there. ConfigurationError: a precision that the device lacks.
    """
    place = torch.device(resolve_device(device or hardware.device))
    require_supported(precision or hardware.precision, place)
    return Execution(
        device=place,
        precision=precision or hardware.precision,
        probes=home / "probes",
        data_path=hardware.data_path,
        loader_workers=hardware.loader_workers,
        team=team or Team(),
    )


def require_sources(ledger: Ledger, spec: StudySpec) -> None:
    """Refuses, before anything is kept, studies that are not there or have nothing to give.

    Raises:
        StudyError: which, and what there is.
    """
    known = study_names(ledger)
    if spec.name in known:
        return
    for study in spec.warm_start.studies:
        if study not in known:
            raise StudyError(
                f"`warm_start.from` must name other studies of this storage, but there is no {study!r} "
                f"({', '.join(known) or 'none at all'}); run it first, or leave it out"
            )
        if not best_trials(find_study(ledger, study), 1):
            raise StudyError(
                f"`warm_start.from` must name studies with a complete trial, but {study!r} has none; run it first, or "
                "leave it out"
            )


def warm_starts(ledger: Ledger, spec: StudySpec, prior: Prior) -> tuple[dict[str, Any], ...]:
    """`origin` and `parameters` of each, the first study's best first; equal ones, and the incumbent's own, once.

    A setting that the other study did not search counts with the value that it had there. A value that this study's
    space cannot give is left to the sampler, and the origin says so.
    """
    space = spec.space.narrowed(learning_rate=prior.interval) if prior.interval else spec.space
    seen, found = [spec.incumbent_parameters()], []
    for study in spec.warm_start.studies:
        for run in best_trials(find_study(ledger, study), spec.warm_start.top):
            values = _values(run) | spec.settled()
            own = {name: space[name].own(values[name]) for name in space.active(values)}
            parameters = {name: value for name, value in own.items() if value is not None}
            if not parameters or parameters in seen:
                continue
            seen.append(parameters)
            outside = sorted(set(own) - set(parameters))
            left = f" ({', '.join(outside)} outside of this space)" if outside else ""
            found.append({"origin": f"{study} trial {run.trial_number}{left}", "parameters": parameters})
    if len(found) > spec.budget.trials:
        raise StudyError(
            f"`budget.trials` must leave room for the warm start, but got {spec.budget.trials} for {len(found)} "
            "configurations; raise it, or lower `warm_start.top`"
        )
    return tuple(found)


def _values(run: RunRow) -> dict[str, Any]:
    return stored_config(run).plain()


@dataclass(frozen=True)
class Workspace:
    """Where a command's studies, data sets and files are: what every step needs beside the study itself.

    Attributes:
        ledger: of the studies. source: of the data sets. artifacts: places of the runs' files.
    """

    ledger: Ledger
    source: FleetSource
    artifacts: Artifacts

    def data_of(self, study: Study) -> PreparedData:
        """The training engines of the study, prepared.

        Raises:
            StudyError: what is found under the data set's name is not what the study was made on.
            DataError, StorageError: as `FleetSource.training` and `cached_prepare`.
        """
        row, spec = study.row, study.spec
        fleet = self.source.training(row.dataset)
        if fleet.sha256 != row.data_sha256:
            raise StudyError(
                f"A study must train on the study's data and stay on them, but {row.dataset} here has SHA-256 "
                f"{fleet.sha256[:12]} and study {row.name!r} was made on {row.data_sha256[:12]}; set --data-dir to the "
                "study's data"
            )
        return cached_prepare(fleet, spec.run_config(spec.incumbent_parameters()), self.artifacts.prepared)


@dataclass(frozen=True)
class OpenedStudy:
    """A study that workers can join.

    Attributes:
        study: prepared. opening: new, known, or known with more trials.
        range_test: of the learning rate; None where the file switches it off.
    """

    study: Study
    opening: Opening
    range_test: RangeTest | None


def open_study(workspace: Workspace, spec: StudySpec, *, device: str) -> OpenedStudy:
    """Creates or continues the study of `spec`.

    Raises:
        StudyError: the study exists with another file, on other data, or keeps its files where `artifacts` is not.
            DataError, StorageError, ConfigurationError.
    """
    ledger, source, artifacts = workspace.ledger, workspace.source, workspace.artifacts
    upgrade(ledger.url.render_as_string(hide_password=False))
    spec = as_begun(ledger, spec)
    fleet = source.training(spec.data.dataset)
    config = spec.run_config(spec.incumbent_parameters())
    data = cached_prepare(fleet, config, artifacts.prepared)
    _require_fit(spec, config, data)
    require_sources(ledger, spec)
    with borrowed_storage(ledger) as storage, exclusive(ledger) as session:
        opening = freeze(ledger, spec, fleet.sha256, within=session)
        with joined(storage, session):
            create_optuna_study(storage, spec, new=opening is Opening.CREATED)
    study = find_study(ledger, spec.name)
    require_shared_artifacts(study, artifacts.store)
    test = None
    if not study.is_prepared:
        test = range_test(ledger, spec, data, device=device) if spec.lr_range_test.enabled else None
        prior = prior_from(test, spec) if test else Prior()
        prior = replace(prior, warm_start=warm_starts(ledger, spec, prior))
        settle_prior(study, prior, test.key if test else None)
        study = study.again()
    if test is None and study.row.range_test_key:
        test = find_range_test(ledger, study.row.range_test_key)
    return OpenedStudy(study, opening, test)


def _require_fit(spec: StudySpec, config: RunConfig, data: PreparedData) -> None:
    """Refuses, before anything is kept, a study whose longest window or largest batch its engines cannot fill."""
    most = {
        name: max(spec.space[name].values()) if name in spec.space else getattr(config, name)
        for name in ("window", "pool", "stride", "batch_size")
    }
    padded = all(spec.space["pad_short"].values()) if "pad_short" in spec.space else config.pad_short
    longest = config.replaced(window=most["window"], pool=most["pool"], pad_short=padded)
    windows = len(data.training_windows(longest, most["stride"]))
    if most["batch_size"] > windows:
        raise ConfigurationError(
            f"`batch_size` must be at most the number of training windows, but the study may try "
            f"batch_size={most['batch_size']} on {windows} windows of {data.dataset} (window={most['window']}, "
            f"stride={most['stride']}); lower `batch_size`"
        )


def range_test(ledger: Ledger, spec: StudySpec, data: PreparedData, *, device: str) -> RangeTest:
    """The study's LR range test: on the incumbent's network, batch, loss and optimiser."""
    options, config = spec.lr_range_test, spec.run_config(spec.incumbent_parameters())
    return cached_range_test(
        ledger,
        config,
        data,
        RangeTestOptions(options.start_lr, options.end_lr, options.iterations(config.batch_size)),
        device=resolve_device(device),
    )
