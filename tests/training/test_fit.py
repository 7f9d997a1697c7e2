import itertools
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from amnl_tune.errors import CheckpointError, ConfigurationError
from amnl_tune.rul.configuration import Loss
from amnl_tune.rul.metrics import mean_predictor_rmse
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.search.epoch_logs import scalar_log
from amnl_tune.training.checkpoint import Checkpoint, load_checkpoint, serialized, snapshot
from amnl_tune.training.config import RunConfig
from amnl_tune.training.fit import EpochResult, fit
from amnl_tune.training.state import RunState


def save(path: Path, state: RunState) -> None:
    path.write_bytes(serialized(snapshot(state)))


def load(path: Path) -> Checkpoint:
    return load_checkpoint(path.read_bytes(), str(path))


def curve(epochs: list[EpochResult]) -> list[tuple[float, ...]]:
    return [(e.number, e.train_rul_loss, e.train_health_loss, e.validation_rmse, e.learning_rate) for e in epochs]


@pytest.mark.slow
def test_it_learns(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    config = tiny_config.replaced(epochs=20, stride=2, learning_rate=5e-3, hidden_size=8)
    *_, last = fit(config, tiny_data)
    truth = tiny_data.rows.rul[tiny_data.validation_windows()].numpy()
    assert last.final is not None
    assert last.final.rmse < 0.6 * mean_predictor_rmse(truth)


def test_epochs_are_numbered_from_one_and_the_last_has_the_full_pass(
    tiny_config: RunConfig, tiny_data: PreparedData
) -> None:
    epochs = list(fit(tiny_config, tiny_data))
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5]
    assert [epoch.final is not None for epoch in epochs] == [False] * 4 + [True]
    assert [epoch.last for epoch in epochs] == [False] * 4 + [True]
    assert epochs[-1].final is not None
    assert epochs[-1].final.rmse == pytest.approx(min(e.validation_rmse for e in epochs), rel=1e-5)


@pytest.mark.parametrize("loss", [Loss.NORMALIZED_EMA, Loss.GRACE])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_is_the_undisturbed_run(
    loss: Loss, stop: int, tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path
) -> None:
    config = tiny_config.replaced(loss=loss, gaba_warmup_steps=3)
    undisturbed = list(fit(config, tiny_data))
    for epoch in itertools.islice(fit(config, tiny_data), stop):
        save(tmp_path / "checkpoint.pt", epoch.state)
    torch.manual_seed(999)
    resumed = list(fit(config, tiny_data, resume=load(tmp_path / "checkpoint.pt")))
    assert curve(resumed) == curve(undisturbed)[stop:]
    weights, again = (run[-1].state.best_model().state_dict() for run in (undisturbed, resumed))
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert resumed[-1].final == undisturbed[-1].final


def test_the_callers_random_numbers_are_its_own(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    undisturbed = curve(list(fit(tiny_config, tiny_data)))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    disturbed = []
    drawn = []
    for epoch in fit(tiny_config, tiny_data):
        disturbed.append(epoch)
        drawn.append(torch.rand(1))
    assert curve(disturbed) == undisturbed
    assert torch.equal(torch.cat(drawn[:3]), expected)


def test_an_ended_run_yields_its_last_epoch_again(
    tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path
) -> None:
    *_, last = fit(tiny_config, tiny_data)
    save(tmp_path / "c.pt", last.state)
    (again,) = fit(tiny_config, tiny_data, resume=load(tmp_path / "c.pt"))
    assert (again.number, again.validation_rmse, again.final, again.last) == (5, last.validation_rmse, last.final, True)


def test_under_one_horizon_a_longer_run_goes_on_from_a_shorter_one(
    tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path
) -> None:
    whole = list(fit(tiny_config.replaced(epochs=6, horizon=6), tiny_data))
    *_, trial = fit(tiny_config.replaced(epochs=2, horizon=6), tiny_data)
    save(tmp_path / "c.pt", trial.state)
    promoted = list(fit(tiny_config.replaced(epochs=6, horizon=6), tiny_data, resume=load(tmp_path / "c.pt")))
    assert curve([trial, *promoted])[1:] == curve(whole)[2:]


def test_a_checkpoint_of_another_configuration_is_refused(
    tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path
) -> None:
    first = next(fit(tiny_config, tiny_data))
    save(tmp_path / "c.pt", first.state)
    checkpoint = load(tmp_path / "c.pt")
    with pytest.raises(ConfigurationError, match=r"these differ: learning_rate \(0.001 then, 0.01 now\)"):
        next(fit(tiny_config.replaced(learning_rate=0.01), tiny_data, resume=checkpoint))


def test_a_checkpoint_of_other_data_is_refused(tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path) -> None:
    save(tmp_path / "c.pt", next(fit(tiny_config, tiny_data)).state)
    checkpoint = load(tmp_path / "c.pt")
    assert checkpoint is not None
    assert checkpoint.continues_as(tiny_config, tiny_data.sha256)
    with pytest.raises(ConfigurationError, match="these differ: data_sha256"):
        next(fit(tiny_config, replace(tiny_data, sha256="1" * 64), resume=checkpoint))


def test_a_damaged_checkpoint_says_so(tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    save(path, next(fit(tiny_config, tiny_data)).state)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="must be whole"):
        load(path)


def test_divergence_ends_the_run_without_an_exception(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    spoilt = replace(tiny_data, rows=replace(tiny_data.rows, features=tiny_data.rows.features * float("inf")))
    (epoch,) = fit(tiny_config, spoilt)
    assert epoch.diverged
    assert epoch.last
    assert epoch.final is None
    assert math.isnan(epoch.validation_rmse)


def test_patience_stops_early(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    epochs = list(fit(tiny_config.replaced(patience=2, min_delta=1000.0, epochs=20), tiny_data))
    assert len(epochs) == 3  # the first improves on nothing; the next two do not improve by 1000 cycles
    assert epochs[-1].final is not None


def test_accumulation_is_the_large_batch(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    """Over a whole epoch, batch statistics and the batch's loss weights included; the masks of dropout are others."""
    plain = tiny_config.replaced(dropout=0.0, attention_dropout=0.0, epochs=1)
    whole, parts = (next(fit(plain.replaced(accumulation_steps=n), tiny_data)) for n in (1, 4))
    assert parts.train_rul_loss == pytest.approx(whole.train_rul_loss, rel=1e-4)
    assert parts.validation_rmse == pytest.approx(whole.validation_rmse, rel=1e-3)
    assert parts.state.step == whole.state.step


def test_a_batch_larger_than_the_data_is_refused(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    with pytest.raises(ConfigurationError, match="`batch_size` must be at most the number of training windows"):
        next(fit(tiny_config.replaced(batch_size=100_000), tiny_data))


def test_the_ema_is_what_is_validated(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    without, with_ema = (next(fit(tiny_config.replaced(ema_decay=decay), tiny_data)) for decay in (0.0, 0.999))
    assert without.state.ema is None
    assert with_ema.train_rul_loss == without.train_rul_loss
    assert with_ema.validation_rmse != without.validation_rmse


def test_a_subset_of_the_validation_engines_is_scored_and_all_of_them_at_the_end(
    tiny_config: RunConfig, tiny_data: PreparedData
) -> None:
    *_, last = fit(tiny_config.replaced(validation_subset=0.5, epochs=2), tiny_data)
    assert last.final is not None
    assert last.final.rmse != last.best_validation_rmse


def test_scalars_are_written_for_tensorboard(tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with scalar_log(tmp_path) as log:
        for epoch in fit(tiny_config.replaced(epochs=2), tiny_data):
            log(epoch)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("validation/rmse")] == [1, 2]
    with scalar_log(None) as log:
        log(epoch)
