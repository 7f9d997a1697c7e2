"""Opening a study: schema, data, freezing, LR range test, in one step that any number of processes may take at once."""

from dataclasses import dataclass, replace

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.cache import cached_prepare
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.artifact_probe import require_shared_artifacts
from amnl_tune.search.artifacts import Artifacts
from amnl_tune.search.devices import resolve_device
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.locks import exclusive
from amnl_tune.search.ledger.range_tests import RangeTest, find_range_test
from amnl_tune.search.ledger.schema import upgrade
from amnl_tune.search.ledger.studies import Opening, Prior, as_begun, find_study, freeze, prior_of, settle_prior
from amnl_tune.search.range_test import cached_range_test, prior_from
from amnl_tune.search.spec import StudySpec
from amnl_tune.search.trials import borrowed_storage, create_optuna_study, joined
from amnl_tune.search.warm_start import require_sources, warm_starts
from amnl_tune.training.config import RunConfig
from amnl_tune.training.lr_range_test import RangeTestOptions

__all__ = ["OpenedStudy", "open_study", "range_test"]


@dataclass(frozen=True)
class OpenedStudy:
    """A study that workers can join.

    Attributes:
        spec: as frozen.
        opening: new, known, or known with more trials.
        prior: of the learning rate. range_test: None where the file switches it off.
    """

    spec: StudySpec
    opening: Opening
    prior: Prior
    range_test: RangeTest | None


def open_study(
    ledger: Ledger, spec: StudySpec, source: FleetSource, artifacts: Artifacts, *, device: str
) -> OpenedStudy:
    """Creates or continues the study of `spec`.

    Raises:
        StudyError: the study exists with another file, on other data, or keeps its files where `artifacts` is not.
            DataError, StorageError, ConfigurationError.
    """
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
    require_shared_artifacts(ledger, spec.name, artifacts.store)
    row = find_study(ledger, spec.name)
    test = None
    if row.prepared_at is None:
        test = range_test(ledger, spec, data, device=device) if spec.lr_range_test.enabled else None
        prior = prior_from(test, spec) if test else Prior()
        prior = replace(prior, warm_start=warm_starts(ledger, spec, prior))
        settle_prior(ledger, spec.name, prior, test.key if test else None)
        row = find_study(ledger, spec.name)
    if test is None and row.range_test_key:
        test = find_range_test(ledger, row.range_test_key)
    return OpenedStudy(spec, opening, prior_of(row), test)


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
