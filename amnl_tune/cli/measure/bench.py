"""`amnl-tune bench`: the published efficiency table, measured on this machine."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amnl_tune.bounds import MOST_ROUNDS, MOST_STEPS
from amnl_tune.cli.options import DataDir, Device, Home, Json, Storage, Threads, ledger_if_any, settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.measure.bench.bench import Benchmark
    from amnl_tune.measure.bench.parts import DataPathCost, InferenceSpeed, TrainingMemory
    from amnl_tune.measure.bench.table import Stopped, TrainingRow
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.settings import Settings
    from amnl_tune.studies.spec import StudySpec
    from amnl_tune.training.config import RunConfig

LOADERS = 8
"""Processes of the published recipe's DataLoader, where there are as many cores."""
EPOCHS = 100


def bench(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Study file (TOML); none: the published defaults.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Else the study file's, or FD001, or SIM1 where that is not on this machine.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=MOST_ROUNDS, help="Bouts of each arm; the median counts.")] = 5,
    steps: Annotated[
        int | None, typer.Option(min=1, max=MOST_STEPS, help="Training steps of a bout; else some seconds of them.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Train a whole run for early stopping's row.")] = False,
    out: Annotated[Path | None, typer.Option(help="HTML file of the figures; else in HOME/reports.")] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    device: Device = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Measure the published speed-ups here: arms in turn, medians, equal loss; data paths and inference as well.

    The published recipe and a strong baseline, both written well, against amnl-tune, in one process.
    """
    import torch
    from rich.console import Console

    from amnl_tune.artifacts import Artifacts
    from amnl_tune.cli.display import Terminal
    from amnl_tune.files import require_place
    from amnl_tune.host import physical_cores, threads_for
    from amnl_tune.measure.bench.bench import inference_frame, measure, training_frame
    from amnl_tune.measure.figures import inference_figure, ratios_figure, write_figures
    from amnl_tune.rul.preparation import cached_prepare
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.opening import execution_of
    from amnl_tune.service.data import on_available_data
    from amnl_tune.studies.sections import HardwareTable
    from amnl_tune.studies.study_file import load_study_spec
    from amnl_tune.training.config import DataPath

    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir)
    source = FleetSource(places.data_dirs)
    spec = load_study_spec(file) if file else None
    if spec:
        spec = on_available_data(spec.with_dataset(dataset) if dataset else spec, source, Terminal(console))
    config, whole = _configurations(spec, dataset, source)
    out = out or places.home / "reports" / f"{spec.name if spec else config.dataset}-bench.html"
    require_place(out)
    hardware = (spec.hardware if spec else HardwareTable()).model_copy(update={"data_path": DataPath.RESIDENT})
    torch.set_num_threads(threads or threads_for(1))
    data = cached_prepare(source.training(config.dataset), config, Artifacts(places.home).prepared)
    found = measure(
        config,
        data,
        execution_of(hardware, home=places.home, device=device),
        workers=min(LOADERS, physical_cores()) if spec is None else hardware.loader_workers,
        rounds=rounds,
        steps=steps,
        full=whole if full else None,
        recorded=_recorded(spec, places, whole),
        say=lambda text: console.print(f"{text} ...", highlight=False),
    )
    figures = [
        (f"Training on {config.dataset}", ratios_figure(training_frame(found.training))),
        ("Inference", inference_figure(inference_frame(found.inference))),
    ]
    write_figures(figures, out)
    if as_json:
        typer.echo(json.dumps(found.plain() | {"figure": str(out)}, indent=2))
        return
    _print(console, found)
    console.print(f"Figures: {out}", highlight=False, soft_wrap=True)


def _recorded(spec: "StudySpec | None", places: "Settings", whole: "RunConfig") -> "Stopped | None":
    """What early stopping would do to the study's own full runs, if it has any in this storage."""
    from amnl_tune.measure.bench.bench import stopped_of_record

    if spec is None or whole.patience is None:
        return None
    with ledger_if_any(places) as ledger:
        if ledger is None:
            return None
        return stopped_of_record(ledger, spec.name, patience=whole.patience, min_delta=whole.min_delta)


def _configurations(
    spec: "StudySpec | None", dataset: str | None, source: "FleetSource"
) -> tuple["RunConfig", "RunConfig"]:
    """Of the steps, and of a whole run with early stopping as published."""
    from amnl_tune.training.config import RunConfig, published_defaults

    patience = RunConfig().patience
    if spec is None:
        name = dataset or ("SIM1" if source.missing("FD001") else "FD001")
        config = RunConfig.build({**published_defaults(name), "epochs": EPOCHS})
        return config, config.replaced(patience=patience)
    config = spec.run_config(spec.incumbent_parameters())
    whole = spec.promotion_config(config, config.seed)
    return config, whole.replaced(patience=whole.patience or patience)


def _print(console: "Console", found: "Benchmark") -> None:
    probed = ", ".join(f"{name} {seconds * 1e3:,.1f} ms" for name, seconds in found.probe.seconds.items())
    console.print(
        f"\n{found.dataset}, {found.parameters:,} parameters, batches of {found.batch_size}; {found.device}, "
        f"{found.threads} threads on {found.cores} cores, torch {found.torch}; {found.rounds} rounds of {found.steps} "
        f"steps\nOur step: {probed}; used: {found.probe.precision}",
        highlight=False,
        soft_wrap=True,
    )
    busy = found.load.words(lambda times: f"idle every time is up to {times:.1f} times shorter; ratios suffer less")
    if busy:
        console.print(busy, highlight=False, soft_wrap=True)
    console.print(_training(found))
    for row in found.training:
        if row.note != "equal loss":
            console.print(f"{row.name}: {row.note}", highlight=False, soft_wrap=True)
    console.print(_memory(found))
    console.print(_data_paths(found))
    console.print(_inference(found))


def _table(title: str, columns: dict[str, Callable[[Any], str]], rows: Sequence[object]) -> "Table":
    """A cell function by column; nothing is cut at 80 columns."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name else "left", no_wrap=not name, overflow="fold")
    for row in rows:
        table.add_row(*(shown(row) for shown in columns.values()))
    return table


def _training(found: "Benchmark") -> "Table":
    columns: dict[str, Callable[[TrainingRow], str]] = {
        "": lambda row: row.name,
        "in": lambda row: row.precision or "",
        "ms\na step": lambda row: _number(row.seconds_a_step and row.seconds_a_step * 1e3, ".4g"),
        "windows\na second": lambda row: _number(row.samples_per_second, ",.0f"),
        "ratio": lambda row: _number(row.ratio, ".2f"),
        "pub-\nlished": lambda row: _number(row.published_ratio, ".2f"),
        "loss": lambda row: "equal" if row.equal_loss else _number(row.loss_difference, "+.1%"),
    }
    return _table("Training", columns, found.training)


def _memory(found: "Benchmark") -> "Table":
    """Measured here for this network and batch; published for the full network at batch 256."""
    columns: dict[str, Callable[[TrainingMemory], str]] = {
        "": lambda row: row.precision,
        "here, beyond\nthe process": lambda row: f"{row.bytes / 1e6:,.0f}",
        "published,\nRTX 5000": lambda row: _number(row.published and row.published / 1e6, ",.0f"),
    }
    return _table("Training memory at the peak (MB)", columns, found.memory)


def _data_paths(found: "Benchmark") -> "Table":
    columns: dict[str, Callable[[DataPathCost], str]] = {
        "": lambda row: row.name,
        "us a window": lambda row: f"{row.microseconds:.2f}",
        "ratio": lambda row: f"{row.ratio:.1f}",
    }
    return _table("Getting a batch", columns, found.data_paths)


def _inference(found: "Benchmark") -> "Table":
    columns: dict[str, Callable[[InferenceSpeed], str]] = {
        "batch": lambda row: str(row.batch_size),
        "plain loop": lambda row: f"{row.plain:,.0f}",
        "amnl-tune": lambda row: f"{row.ours:,.0f}",
        "ratio": lambda row: f"{row.ratio:.2f}",
        "memory\n(MiB)": lambda row: f"{row.ours_memory / 2**20:,.0f}",
        "differs\n(cycles)": lambda row: f"{row.difference:.2g}",
    }
    return _table("Inference (windows a second)", columns, found.inference)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
