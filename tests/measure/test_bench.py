"""What `profile` and `bench` measure, as far as it does not depend on the machine's speed."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console
from sqlalchemy import select
from torch import Tensor
from typer.testing import CliRunner, Result

from amnl_tune.cli.app import app
from amnl_tune.cli.measure.bench import _data_paths, _inference, _memory, _training
from amnl_tune.database.models import RunRow, RunStatus
from amnl_tune.errors import StorageError
from amnl_tune.measure.advice import Symptoms, first_change
from amnl_tune.measure.baselines import EagerLoop, Recipe, epochs_of, sample_loader, tensor_loader
from amnl_tune.measure.bench.arms import (
    ACCUMULATION,
    PURE_FP16,
    Arena,
    Outcome,
    contest,
    fp16_obstacle,
    mixed_precision,
)
from amnl_tune.measure.bench.bench import inference_frame, stopped_of_record, training_frame
from amnl_tune.measure.bench.parts import (
    DataPathCost,
    InferenceSpeed,
    TrainingMemory,
    measure_data_paths,
    measure_inference,
    measure_memory,
)
from amnl_tune.measure.bench.table import EARLY_STOPPING, Stopped, TrainingRow, published_table
from amnl_tune.measure.figures import inference_figure, ratios_figure, shares_figure
from amnl_tune.measure.profile import profile_epoch
from amnl_tune.measure.run_profile import PUBLISHED_SHARES, profile_run, shares_frame
from amnl_tune.measure.work import forward_work
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.training.batches import ResidentBatches
from amnl_tune.training.config import DataPath, Precision, RunConfig
from amnl_tune.training.execution import Execution
from amnl_tune.training.fit import fit
from amnl_tune.training.state import epochs_until_stopped
from amnl_tune.training.timing import matmul_peak, peak_memory, reset_peak_memory

CPU = torch.device("cpu")
HEALTHY = Symptoms(
    shares={"forward": 0.4, "backward": 0.5, "data": 0.02, "validation": 0.05, "other": 0.03},
    seconds={"fp32": 0.010, "bf16": 0.0099},
    precision="fp32",
    data_path=DataPath.RESIDENT,
    utilization=0.6,
    workers=1,
    threads=2,
    cores=2,
    batch_size=64,
    validation_subset=1.0,
    on_gpu=False,
    no_graph=None,
)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


def shares(**changed: float) -> dict[str, float]:
    return {**HEALTHY.shares, **changed}


@pytest.fixture
def arena(tiny_config: RunConfig, tiny_data: PreparedData) -> Arena:
    return Arena(tiny_config, tiny_data, Execution(precision=Precision.FP32), Precision.FP32, workers=0)


@pytest.fixture
def file(tmp_path: Path, tiny_study: str, fleet_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AMNL_TUNE_DATA", str(fleet_dir))
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_study)
    return path


@pytest.mark.parametrize(
    ("changed", "message", "saving"),
    [
        ({}, "Nothing stands out: the training step takes 90% of an epoch and reaches 60%", None),
        ({"workers": 4}, "Set hardware.threads_per_worker = 1, hardware.workers = 2: 4 workers of 2 threads", 0.5),
        ({"workers": 2}, "Set hardware.threads_per_worker = 1: 2 workers of 2 threads", 0.5),
        ({"seconds": {"fp32": 0.01, "bf16": 0.005}}, 'Set hardware.precision = "auto": bf16 makes', 0.45),
        (
            {"shares": shares(data=0.3), "data_path": DataPath.LOADER},
            'Set hardware.data_path = "resident" (or "auto"): the loader takes 30%',
            0.3,
        ),
        (
            {"shares": shares(validation=0.4)},
            "Set fixed.validation_subset = 0.09: validation takes 40% of an epoch, 6% would do",
            0.34,
        ),
        ({"utilization": 0.1}, "Run more workers of one thread each (--workers 2 --threads 1): a step of 64", None),
        ({"utilization": 0.1, "threads": 1}, "Try a larger batch_size: a step of 64 windows reaches 10%", None),
        ({"utilization": 0.1, "on_gpu": True}, "Try a larger batch_size, or run more workers on this device", None),
        ({"utilization": 0.1, "on_gpu": True, "no_graph": "gaba"}, "Let the step be a CUDA graph (gaba)", None),
        (
            {"workers": 2, "shares": shares(validation=0.9)},
            "Set fixed.validation_subset = 0.01",
            0.84,
        ),
    ],
)
def test_what_to_change_first(changed: dict[str, Any], message: str, saving: float | None) -> None:
    advice = first_change(HEALTHY._replace(**changed))
    assert advice.text.startswith(message)
    assert advice.saving == (pytest.approx(saving) if saving else None)


def test_all_loaders_give_the_same_epochs(arena: Arena) -> None:
    rows, config = arena.data.rows, arena.config
    common = (rows, arena.training, config)
    every = [
        epochs_of(sample_loader(*common, order=arena.order(), workers=0, pinned=False)),
        epochs_of(tensor_loader(*common, order=arena.order(), pinned=False)),
        resident(arena),
    ]
    for one, two, three in islice(zip(*every, strict=False), arena.steps_an_epoch + 3):
        for left, middle, right in zip(one, two, three, strict=True):
            assert torch.equal(left, middle)
            assert torch.equal(middle, right)
            assert len(left) == config.batch_size


def resident(arena: Arena) -> Iterator[Sequence[Tensor]]:
    batches, order = ResidentBatches(arena.data.rows, arena.config.window), arena.order()
    while True:
        yield from batches(torch.split(arena.training[order.draw()], arena.config.batch_size)[: arena.steps_an_epoch])


def test_accumulation_of_the_recipe_is_its_large_batch(arena: Arena) -> None:
    """Without batch statistics and weights of samples, which a tutorial's accumulation does not share."""
    config = arena.config.replaced(
        dropout=0.0, attention_dropout=0.0, loss="rul_only", sample_weight="none", clip=0.0, ema_decay=0.0
    )
    still = Arena(config, arena.data, arena.execution, Precision.FP32, 0)
    windows, rul = next(resident(still))
    gradients = []
    for count in (1, 4):
        loop = EagerLoop(config, still.start(Precision.FP32).model, 100, Recipe(accumulation=count))
        loop.model.eval()
        before = [p.detach().clone() for p in loop.model.parameters()]
        for part in range(count):
            own = slice(part * len(rul) // count, (part + 1) * len(rul) // count)
            assert all(torch.equal(p, q) for p, q in zip(before, loop.model.parameters(), strict=True))
            loop(windows[own], rul[own])
        assert not all(torch.equal(p, q) for p, q in zip(before, loop.model.parameters(), strict=True))
        gradients.append(torch.cat([p.grad.flatten() for p in loop.model.parameters() if p.grad is not None]))
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-3)


def test_every_arm_of_equal_meaning_has_an_equal_loss(arena: Arena) -> None:
    outcomes = {outcome.name: outcome for outcome in contest(arena, rounds=2, steps=8)}
    base = outcomes["published recipe"]
    for name in ("amnl-tune", "strong baseline"):
        assert outcomes[name].loss == pytest.approx(base.loss, rel=1e-4)
    assert outcomes["the same again, other dropout"].loss != base.loss
    accumulated = outcomes[f"+ one optimiser step on {ACCUMULATION} batches"]
    assert accumulated.updates == ACCUMULATION
    assert accumulated.loss != base.loss
    assert all(outcome.seconds > 0 and outcome.spread >= 0 for outcome in outcomes.values())
    assert mixed_precision(CPU) is Precision.BF16


def outcomes(**losses: float) -> list[Outcome]:
    def outcome(name: str, seconds: float, loss: float, updates: int = 1) -> Outcome:
        return Outcome(name, "published", "fp32", seconds, 0.01, loss, updates)

    return [
        outcome("published recipe", 0.4, 100.0),
        outcome("the same again, other dropout", 0.4, losses.get("twin", 100.5)),
        outcome("+ mixed precision", 0.2, losses.get("mixed", 101.0)),
        outcome("+ one optimiser step on 4 batches", 0.1, 130.0, 4),
    ]


def test_the_table_with_early_stopping_left_open() -> None:
    base, _, mixed, early, accumulated = published_table(outcomes(), 64, 100, None)
    assert (base.ratio, mixed.ratio, accumulated.ratio) == (1.0, 2.0, 4.0)
    assert (base.samples_per_second, base.seconds_an_epoch) == (160.0, 40.0)
    assert mixed.published_ratio == pytest.approx(1.385, abs=1e-3)
    assert (mixed.equal_loss, mixed.note) == (True, "equal loss")
    assert (early.name, early.ratio, early.seconds_a_step) == (EARLY_STOPPING, None, None)
    assert "not measured without --full" in early.note
    assert accumulated.equal_loss is None
    assert accumulated.note.endswith("without early stopping")


def test_the_table_with_a_run_that_stopped_early() -> None:
    *_, early, accumulated = published_table(outcomes(), 64, 100, Stopped(after=50, epochs=100))
    assert (early.ratio, accumulated.ratio) == (4.0, 8.0)
    assert "after 50 of 100 epochs" in early.note
    assert early.loss is None


def test_pure_fp16_diverged_sound_and_impossible() -> None:
    """A row of its own: what it took, what its loss did, and that it is not to be trusted; JSON has no NaN."""

    def row(*, obstacle: str | None = None, **figures: Any) -> TrainingRow:
        pure = [] if obstacle else [Outcome(PURE_FP16, "published", "fp16_pure", 0.25, 0.01, **figures)]
        loading = Outcome("+ data loading", "published", "bf16", 0.2, 0.01, 101.0)
        base, twin, mixed, accumulated = outcomes()
        rows = published_table([base, twin, mixed, *pure, loading, accumulated], 64, 100, None, fp16_obstacle=obstacle)
        json.dumps([vars(one) for one in rows], allow_nan=False)
        assert [one.name for one in rows][2:5] == ["+ mixed precision", PURE_FP16, "+ data loading"]
        return rows[3]

    gone = row(loss=float("nan"), diverged_within=8)
    assert (gone.ratio, gone.loss, gone.equal_loss) == (1.6, None, False)
    assert gone.note.startswith("diverged within 8 steps: without a GradScaler small gradients vanish")
    assert gone.published_ratio == pytest.approx(90 / 58)
    assert row(loss=100.0).note.startswith("equal loss so far; without a GradScaler")
    slow = row(obstacle="not measured in full: 8 windows take 18 times as long as in float32 on this device")
    assert (slow.ratio, slow.loss, slow.precision) == (None, None, None)
    assert "18 times as long" in slow.note
    assert "calls it unstable" in slow.note


def test_pure_fp16_is_tried_and_what_diverges_is_noticed(arena: Arena) -> None:
    assert fp16_obstacle(arena) is None or "not measured" in str(fp16_obstacle(arena))
    found = {one.name: one for one in contest(arena, rounds=1, steps=4, fp16=True)}
    assert found[PURE_FP16].precision == "fp16_pure"
    assert found[PURE_FP16].seconds > 0
    assert found["published recipe"].diverged_within is None
    spoilt = replace(arena.data.rows, features=arena.data.rows.features * float("inf"))
    broken = replace(arena, data=replace(arena.data, rows=spoilt))
    assert {one.diverged_within for one in contest(broken, rounds=1, steps=2)} == {1}


def test_early_stopping_of_recorded_runs(finished: Any) -> None:
    """The rule of training itself, on curves that are there."""
    ledger = finished.ledger
    with ledger.read() as session:
        runs = list(session.scalars(select(RunRow).where(RunRow.promotion > 0, RunRow.status == RunStatus.COMPLETE)))
    known = stopped_of_record(ledger, finished.spec.name, patience=1, min_delta=1000.0)
    assert known is not None
    assert (known.after, known.runs) == (2.0, len(runs))
    patient = stopped_of_record(ledger, finished.spec.name, patience=99, min_delta=0.0)
    assert patient is not None
    assert (patient.after, patient.same_best) == (patient.epochs, patient.runs)
    assert f"would have ended {len(runs)} recorded full runs" in patient.words
    assert stopped_of_record(ledger, "other", patience=1, min_delta=0.0) is None


def test_recorded_curves_stop_where_training_does(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    whole = tiny_config.replaced(epochs=8)
    curve = [epoch.validation_rmse for epoch in fit(whole, tiny_data)]
    for patience, min_delta in ((1, 0.5), (2, 0.5), (2, 1000.0), (8, 0.0)):
        *_, last = fit(whole.replaced(patience=patience, min_delta=min_delta), tiny_data)
        assert epochs_until_stopped(curve, patience=patience, min_delta=min_delta) == last.number


def test_memory_of_a_step_by_precision(arena: Arena) -> None:
    wide = arena.config.replaced(conv_channels=(64, 64), hidden_size=64, batch_size=256)
    found = {one.precision: one for one in measure_memory(replace(arena, config=wide))}
    assert set(found) == {"fp32", "bf16"}
    assert (found["fp32"].published, found["bf16"].published) == (3.2e9, None)
    assert found["fp32"].bytes > 2e7


def test_a_loss_beyond_the_noise_is_told() -> None:
    _, _, mixed, *_ = published_table(outcomes(mixed=103.0), 64, 100, None)
    assert (mixed.equal_loss, mixed.note) == (False, "loss differs by +3.0%, noise is 1.0%")
    _, _, mixed, *_ = published_table(outcomes(mixed=103.0, twin=98.0), 64, 100, None)
    assert mixed.equal_loss is True


def test_data_paths_and_inference(arena: Arena) -> None:
    paths = measure_data_paths(arena, rounds=1)
    assert paths[0].ratio == 1.0
    assert len(paths) == 3
    assert all(path.microseconds > 0 for path in paths)
    model = arena.start(Precision.FP32).model
    windows = arena.data.rows.windows(arena.training[:8], arena.config.window)
    speeds = measure_inference(model, windows, Precision.BF16, rounds=1)
    assert [speed.batch_size for speed in speeds] == [1, 2, 4, 8]
    for speed in speeds:
        assert speed.ratio == speed.ours / speed.plain
        assert 0 < speed.difference < 1
        assert speed.ours_memory > 1 << 20
    assert "ours" in inference_frame(speeds)
    assert len(inference_figure(inference_frame(speeds)).data) == 2
    table = training_frame(published_table(outcomes(), 64, 100, None))
    assert list(ratios_figure(table).data[0].x) == [4.0, 2.0, 1.0, 1.0]  # the open row is no bar


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_a_profile_adds_up_and_leaves_no_trace(
    tiny_config: RunConfig, tiny_data: PreparedData, precision: Precision, tmp_path: Path
) -> None:
    before = torch.random.get_rng_state()
    execution = Execution(precision=precision)
    found = profile_run(tiny_config, tiny_data, execution, workers=1, steps=3, trace=tmp_path / "new" / "trace.json")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found.precision == precision
    assert sum(found.epoch.phases.shares().values()) == pytest.approx(1)
    assert min(vars(found.epoch.phases).values()) > 0
    assert 0 < found.epoch.optimizer < found.epoch.phases.backward
    windows = len(tiny_data.training_windows(tiny_config, tiny_config.stride))
    assert (found.epoch.windows, found.epoch.steps_an_epoch) == (windows, -(-windows // tiny_config.batch_size))
    assert found.flops == pytest.approx(6 * forward_work(tiny_config) * found.epoch.samples_per_second)
    assert 0 < found.flops < found.peak_flops
    assert {event["ph"] for event in json.loads((tmp_path / "new" / "trace.json").read_text())["traceEvents"]} >= {"X"}
    frame = shares_frame(found)
    assert list(frame["phase"]) == list(PUBLISHED_SHARES)
    assert frame["seconds"].sum() == pytest.approx(found.epoch.phases.total)
    assert [list(bar.y) for bar in shares_figure(frame).data] == [list(frame["share"]), list(frame["published"])]
    json.dumps(found.plain())


def test_gradient_balance_and_accumulation_are_profiled(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    config = tiny_config.replaced(loss="gaba", accumulation_steps=2)
    found = profile_epoch(config, tiny_data, Execution(), precision=Precision.FP32, steps=4)
    assert min(found.phases.forward, found.phases.backward) > 0


def test_a_trace_that_cannot_be_written_is_a_clear_error(tiny_config: RunConfig, tiny_data: PreparedData) -> None:
    place = Path("/proc/trace.json")
    with pytest.raises(StorageError, match="must be writable"):
        profile_epoch(tiny_config, tiny_data, Execution(), precision=Precision.FP32, steps=1, trace=place)


def test_instruments() -> None:
    assert matmul_peak(CPU, Precision.FP32) > 1e8
    reset_peak_memory(CPU)
    before = peak_memory(CPU)
    taken = torch.ones(64 << 20, dtype=torch.uint8)
    assert peak_memory(CPU) >= before + (32 << 20)
    del taken


def test_profile_as_a_command(file: Path, tmp_path: Path) -> None:
    shown = invoke("profile", file, "--steps", 3, "--threads", 1, "--out", tmp_path / "p.html")
    assert shown.exit_code == 0, shown.output
    for told in ("An epoch of SIM1", "forward", "39%", "Change first:", "GFLOP/s", "workers x 1 threads", "p.html"):
        assert told in shown.output
    assert "plotly" in (tmp_path / "p.html").read_text().lower()
    facts = json.loads(invoke("profile", file, "--steps", 3, "--json", "--trace", tmp_path / "t.json").stdout)
    assert sum(facts["shares"].values()) == pytest.approx(1)
    assert facts["published_shares"] == PUBLISHED_SHARES
    assert facts["load"]["delay"] > 0.9
    assert Path(facts["trace"]).is_file()
    assert Path(facts["figure"]).is_file()


def test_80_columns_hold_every_table_of_the_benchmark() -> None:
    rows = published_table(outcomes(), 64, 100, None, fp16_obstacle="not measured")
    memory = [TrainingMemory("fp32", 3_123_456_789, 3.2e9), TrainingMemory("bf16", 1_234_567, None)]
    speeds = [InferenceSpeed(512, 12_345.6, 112_345.6, 9.1, 500 << 20, 2000 << 20, 1.2e-5)]
    paths = [DataPathCost("DataLoader, sample by sample, 8 workers", 1392.8, 1.0)]
    found: Any = SimpleNamespace(training=rows, memory=memory, inference=speeds, data_paths=paths)
    out = io.StringIO()
    for made in (_training, _memory, _inference, _data_paths):
        Console(file=out, width=80).print(made(found))
    assert "…" not in out.getvalue()
    for told in ("published recipe", "3,123", "3,200", "112,346"):
        assert told in out.getvalue()


@pytest.mark.slow
def test_bench_as_a_command(file: Path, tmp_path: Path) -> None:
    shown = invoke("bench", file, "--rounds", 1, "--steps", 4, "--full", "--threads", 1, "--out", tmp_path / "b.html")
    assert shown.exit_code == 0, shown.output
    for told in (
        "published recipe",
        "+ early stopping",
        "strong baseline",
        "amnl-tune",
        "gathered from resident rows",
        "pure fp16",
        "Training memory",
        "unstable",
    ):
        assert told in shown.output
    assert "epochs of our real run" in " ".join(shown.output.split())
    facts = json.loads(invoke("bench", file, "--rounds", 1, "--steps", 1, "--threads", 1, "--json").stdout)
    assert facts["load"]["delay"] > 0.9
    assert {"before", "after", "cores", "busy"} <= set(facts["load"])
    assert facts["steps"] == ACCUMULATION  # whole accumulated steps
    assert [row["batch_size"] for row in facts["inference"]][:3] == [1, 2, 4]
    assert {row["family"] for row in facts["training"]} == {"published", "strong", "ours"}
    assert Path(facts["figure"]).is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("profile", "tinny.toml"), "did you mean"),
        (("profile", "FILE", "--precision", "tf32"), "`precision` must be one that the device has, but got tf32"),
        (("profile", "FILE", "--out", "/proc/a.html", "--steps", "1"), "must be writable"),
        (("bench", "FILE", "--dataset", "FD007"), "FD007"),
        (("bench", "--device", "cuda"), "torch finds no CUDA device"),
    ],
)
def test_wrong_input(words: tuple[str, ...], message: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    monkeypatch.chdir(file.parent)
    result = invoke(*(file if word == "FILE" else word for word in words))
    assert result.exit_code == 2, result.output
    assert message in result.stderr.strip().splitlines()[-1]
