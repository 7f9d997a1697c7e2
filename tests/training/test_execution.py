"""However a run is carried out, it is the same run."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from amnl_tune.errors import ConfigurationError
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training import probe as probing
from amnl_tune.training.batches import Batch, ResidentBatches, choose_data_path
from amnl_tune.training.checkpoint import load_checkpoint, serialized, snapshot
from amnl_tune.training.config import DataPath, Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import EpochResult, fit
from amnl_tune.training.precision import autocast, grad_scaler, require_supported, supported
from amnl_tune.training.probe import FreshRun, Probe, best_precision, probe
from amnl_tune.training.timing import Lap

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def curve(epochs: list[EpochResult]) -> list[tuple[float, ...]]:
    return [(e.number, e.train_rul_loss, e.train_health_loss, e.validation_rmse) for e in epochs]


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_data_loader_gives_the_losses_of_the_resident_rows_exactly(
    tiny_config: RunConfig, tiny_data: PreparedData, workers: int
) -> None:
    assert tiny_config.dropout > 0
    resident = list(fit(tiny_config, tiny_data, execution=Execution(data_path=DataPath.RESIDENT)))
    loaded = list(fit(tiny_config, tiny_data, execution=Execution(data_path=DataPath.LOADER, loader_workers=workers)))
    assert curve(loaded) == curve(resident)


def test_rows_stay_on_the_device_unless_they_do_not_fit(
    tiny_data: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(tensor.nbytes for tensor in tiny_data.rows.tensors.values())
    for free, chosen in ((3 * size, DataPath.RESIDENT), (size, DataPath.LOADER)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, free))
        assert choose_data_path(DataPath.AUTO, tiny_data.rows, CUDA) is chosen
    assert choose_data_path(DataPath.AUTO, tiny_data.rows, CPU) is DataPath.RESIDENT
    assert choose_data_path(DataPath.LOADER, tiny_data.rows, CPU) is DataPath.LOADER


def test_bf16_is_another_precision_and_nearly_the_same_result(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    plain, cast = (
        next(fit(tiny_config, tiny_data, execution=Execution(precision=precision)))
        for precision in (Precision.FP32, Precision.BF16)
    )
    assert cast.train_rul_loss != plain.train_rul_loss
    assert cast.train_rul_loss == pytest.approx(plain.train_rul_loss, rel=0.02)
    assert all(p.dtype is torch.float32 for p in cast.state.parameters)


def test_both_heads_stay_in_float32(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    """bfloat16 has eight bits: between 64 and 128 it knows half cycles only."""
    model = next(fit(tiny_config, tiny_data)).state.best_model()
    windows = tiny_data.rows.windows(tiny_data.training_windows(tiny_config)[:64], tiny_config.window)
    with torch.no_grad(), autocast(Precision.BF16, CPU):
        predicted = model(windows)
    assert predicted.rul.dtype is predicted.health.dtype is torch.float32
    assert len(predicted.rul.unique()) > len(predicted.rul.bfloat16().unique())


def test_a_resumed_run_keeps_its_precision(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    bf16 = Execution(precision=Precision.BF16)
    undisturbed = list(fit(tiny_config, tiny_data, execution=bf16))
    checkpoint = load_checkpoint(
        serialized(snapshot(next(fit(tiny_config, tiny_data, execution=bf16)).state)), "the checkpoint"
    )
    assert checkpoint.precision is Precision.BF16
    resumed = list(fit(tiny_config, tiny_data, resume=checkpoint, execution=Execution(precision=Precision.FP32)))
    assert curve(resumed) == curve(undisturbed)[1:]


def test_a_precision_that_the_device_lacks_is_refused(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    with pytest.raises(ConfigurationError, match="but got tf32 on cpu; use one of: auto, fp32, bf16"):
        next(fit(tiny_config, tiny_data, execution=Execution(precision=Precision.TF32)))
    require_supported(Precision.AUTO, CPU)
    assert supported(torch.device("mps")) == (Precision.FP32,)


def test_only_fp16_scales_its_gradients() -> None:
    assert not grad_scaler(Precision.BF16, CPU).is_enabled()
    assert not grad_scaler(Precision.FP16_PURE, CPU).is_enabled()
    assert grad_scaler(Precision.FP16, CPU).is_enabled()


def test_the_probe_times_the_real_step_and_is_remembered(
    tiny_config: RunConfig, tiny_data: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = Execution(precision=Precision.AUTO, probes=tmp_path)
    batches = ResidentBatches(tiny_data.rows, tiny_config.window)
    training = tiny_data.training_windows(tiny_config)
    chosen = best_precision(tiny_config, batches, training, execution)
    (place,) = tmp_path.iterdir()

    def again(*_: object) -> Probe:
        raise AssertionError("asked twice")

    monkeypatch.setattr(probing, "probe", again)
    assert best_precision(tiny_config, batches, training, execution) is chosen
    with pytest.raises(AssertionError, match="asked twice"):
        best_precision(tiny_config.replaced(hidden_size=6), batches, training, execution)
    place.write_text("{")
    with pytest.raises(AssertionError, match="asked twice"):
        best_precision(tiny_config, batches, training, execution)


def test_the_probe_leaves_the_callers_random_numbers_alone(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    found = probe(
        tiny_config,
        ResidentBatches(tiny_data.rows, tiny_config.window),
        tiny_data.training_windows(tiny_config),
        Execution(precision=Precision.AUTO),
    )
    assert torch.equal(torch.rand(3), expected)
    assert found.seconds["fp32"] > 0
    assert found.precision in {"fp32", "bf16"}


@pytest.mark.parametrize(
    ("bf16", "sound", "chosen"), [(0.5, True, "bf16"), (0.5, False, "fp32"), (0.99, True, "fp32"), (1.5, True, "fp32")]
)
def test_never_a_slower_or_a_worse_precision(
    tiny_config: RunConfig,
    tiny_data: PreparedData,
    monkeypatch: pytest.MonkeyPatch,
    bf16: float,
    sound: bool,
    chosen: str,
) -> None:
    """With measured times in place of the clock, and a precision that computes something else."""

    def timed(arms: dict[Precision, object], *_: object, **__: object) -> dict[Precision, list[Lap]]:
        return {precision: [Lap(bf16 if precision is Precision.BF16 else 1.0, 1.0)] for precision in arms}

    monkeypatch.setattr(probing, "take_turns", timed)
    if not sound:
        honest = probing._first_step

        def spoilt(run: FreshRun, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
            terms, gradient = honest(run, batch)
            return terms, gradient * (1.2 if run.state.precision is Precision.BF16 else 1.0)

        monkeypatch.setattr(probing, "_first_step", spoilt)
    found = probe(
        tiny_config,
        ResidentBatches(tiny_data.rows, tiny_config.window),
        tiny_data.training_windows(tiny_config),
        Execution(precision=Precision.AUTO),
    )
    assert found.precision == chosen
    assert ("bf16" in found.unsound) is not sound


def test_auto_is_what_the_probe_says(
    tiny_config: RunConfig, tiny_data: PreparedData, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probing, "probe", lambda *_: Probe({"fp32": 1.0, "bf16": 0.5}, {}, "bf16"))
    execution = Execution(precision=Precision.AUTO, probes=tmp_path / "new")
    assert next(fit(tiny_config, tiny_data, execution=execution)).state.precision is Precision.BF16


@needs_cuda
@pytest.mark.parametrize("loss", ["normalized_batch", "normalized_ema", "gaba"])
def test_a_captured_step_is_the_eager_step(
    tiny_config: RunConfig, tiny_data: PreparedData, caplog: pytest.LogCaptureFixture, loss: str
) -> None:
    config = tiny_config.replaced(loss=loss, dropout=0.0, attention_dropout=0.0)
    on_gpu = Execution(device=CUDA)
    with caplog.at_level(logging.WARNING):
        captured = list(fit(config, tiny_data, execution=on_gpu))
    assert not caplog.records, "the capture failed"
    eager = list(fit(config, tiny_data, execution=replace(on_gpu, cuda_graph=False)))
    for one, other in zip(curve(captured), curve(eager), strict=True):
        assert one == pytest.approx(other, rel=1e-3)


@needs_cuda
@pytest.mark.parametrize("precision", [p for p in Precision if p is not Precision.AUTO])
def test_every_precision_trains_on_a_gpu(tiny_config: RunConfig, tiny_data: PreparedData, precision: Precision) -> None:
    execution = Execution(device=CUDA, precision=precision)
    *_, last = fit(tiny_config, tiny_data, execution=execution)
    assert last.final is not None
    assert last.state.precision is precision
