"""`amnl-tune bench`: the published efficiency table, measured on this machine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_ROUNDS, MOST_STEPS
from amnl_tune.cli.options import DataDir, Device, Home, Json, Storage, Threads, existing_ledger, settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.measure.bench.bench import Benchmark
    from amnl_tune.measure.bench.table import Stopped
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
    from amnl_tune.errors import StorageError
    from amnl_tune.measure.bench.bench import stopped_of_record

    if spec is None or whole.patience is None:
        return None
    try:
        ledger = existing_ledger(places)
    except StorageError:  # nothing has been run here
        return None
    try:
        return stopped_of_record(ledger, spec.name, patience=whole.patience, min_delta=whole.min_delta)
    finally:
        ledger.close()


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


def _table(title: str, *columns: str) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))  # nothing is cut at 80 columns
    for name in columns:
        table.add_column(name, justify="right" if name else "left", no_wrap=not name, overflow="fold")
    return table


def _training(found: "Benchmark") -> "Table":
    table = _table("Training", "", "in", "ms\na step", "windows\na second", "ratio", "pub-\nlished", "loss")
    for row in found.training:
        table.add_row(
            row.name,
            row.precision or "",
            _number(row.seconds_a_step and row.seconds_a_step * 1e3, ".4g"),
            _number(row.samples_per_second, ",.0f"),
            _number(row.ratio, ".2f"),
            _number(row.published_ratio, ".2f"),
            _difference(row.loss_difference, row.equal_loss),
        )
    return table


def _memory(found: "Benchmark") -> "Table":
    """Measured here for this network and batch; published for the full network at batch 256."""
    table = _table("Training memory at the peak (MB)", "", "here, beyond\nthe process", "published,\nRTX 5000")
    for row in found.memory:
        table.add_row(row.precision, f"{row.bytes / 1e6:,.0f}", _number(row.published and row.published / 1e6, ",.0f"))
    return table


def _data_paths(found: "Benchmark") -> "Table":
    table = _table("Getting a batch", "", "us a window", "ratio")
    for row in found.data_paths:
        table.add_row(row.name, f"{row.microseconds:.2f}", f"{row.ratio:.1f}")
    return table


def _inference(found: "Benchmark") -> "Table":
    table = _table(
        "Inference (windows a second)",
        "batch",
        "plain loop",
        "amnl-tune",
        "ratio",
        "memory\n(MiB)",
        "differs\n(cycles)",
    )
    for row in found.inference:
        table.add_row(
            str(row.batch_size),
            f"{row.plain:,.0f}",
            f"{row.ours:,.0f}",
            f"{row.ratio:.2f}",
            f"{row.ours_memory / 2**20:,.0f}",
            f"{row.difference:.2g}",
        )
    return table


def _difference(share: float | None, equal: bool | None) -> str:
    return "equal" if equal else _number(share, "+.1%")


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
