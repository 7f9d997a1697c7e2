"""`amnl-tune profile`, `lr-find`: where an epoch's time goes; the LR range test alone."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_STEPS
from amnl_tune.cli.options import DataDir, Device, Home, Json, Precision, Storage, StudyFile, Threads, settings

if TYPE_CHECKING:
    from rich.console import Console

    from amnl_tune.measure.run_profile import RunProfile


def profile(
    file: StudyFile,
    steps: Annotated[
        int | None, typer.Option(min=1, max=MOST_STEPS, help="Training steps to measure; else enough for some seconds.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="File for a Chrome trace of three steps (torch.profiler).")] = None,
    out: Annotated[Path | None, typer.Option(help="HTML file of the figure; else in HOME/reports.")] = None,
    home: Home = None,
    data_dir: DataDir = None,
    device: Device = None,
    precision: Precision = None,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Measure where an epoch of a study file's published defaults goes here, and say what to change first.

    Some seconds of real training on the study's data; nothing is stored but the figure.
    """
    import torch
    from rich.console import Console

    from amnl_tune.artifacts import Artifacts
    from amnl_tune.cli.display import Terminal
    from amnl_tune.files import require_place
    from amnl_tune.host import threads_for
    from amnl_tune.measure.figures import shares_figure, write_figures
    from amnl_tune.measure.load import Watch
    from amnl_tune.measure.run_profile import profile_run, shares_frame
    from amnl_tune.rul.preparation import cached_prepare
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.opening import execution_of
    from amnl_tune.service.data import on_available_data
    from amnl_tune.studies.study_file import load_study_spec
    from amnl_tune.training.config import Precision as TrainingPrecision
    from amnl_tune.training.execution import keep_freed_memory

    keep_freed_memory()  # as a worker does
    console = Console(stderr=as_json)
    places = settings(None, home, data_dir)
    source = FleetSource(places.data_dirs)
    spec = on_available_data(load_study_spec(file), source, Terminal(console))
    out = out or places.home / "reports" / f"{spec.name}-profile.html"
    for place in (out, *((trace,) if trace else ())):
        require_place(place)
    hardware = spec.hardware
    torch.set_num_threads(threads or hardware.threads_per_worker or threads_for(hardware.workers))
    wanted = TrainingPrecision(precision) if precision else None
    execution = execution_of(hardware, home=places.home, device=device, precision=wanted)
    config = spec.run_config(spec.incumbent_parameters())
    data = cached_prepare(source.training(spec.data.dataset), config, Artifacts(places.home).prepared)
    watch = Watch()
    with console.status("Training some steps"):
        found = profile_run(config, data, execution, workers=hardware.workers, steps=steps, trace=trace)
    load = watch.ended()
    write_figures([(f"Where an epoch of {spec.name} goes", shares_figure(shares_frame(found)))], out)
    if as_json:
        traced = str(trace) if trace else None
        typer.echo(
            json.dumps(
                {"study": spec.name, "load": load.plain()} | found.plain() | {"figure": str(out), "trace": traced},
                indent=2,
            )
        )
        return
    _print(console, found)
    busy = load.words(lambda times: f"idle an epoch is up to {times:.1f} times quicker")
    if busy:
        console.print(busy, highlight=False, soft_wrap=True)
    for name, place in (("Figure", out), ("Trace (open in chrome://tracing or ui.perfetto.dev)", trace)):
        if place:
            console.print(f"{name}: {place}", highlight=False, soft_wrap=True)


def _print(console: "Console", found: "RunProfile") -> None:
    from rich.table import Table

    from amnl_tune.measure.run_profile import shares_frame

    epoch = found.epoch
    table = Table(title=f"An epoch of {found.dataset}: {epoch.phases.total:.1f} s", title_justify="left")
    for name in ("phase", "seconds", "share", "published"):
        table.add_column(name, justify="left" if name == "phase" else "right")
    for row in shares_frame(found).itertuples():
        table.add_row(str(row.phase), f"{row.seconds:.3g}", f"{row.share:.1%}", f"{row.published:.0%}")
    console.print(table)
    for name, text in _facts(found):
        console.print(f"{name:<12}{text}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"\n[bold]Change first:[/] {found.advice}", highlight=False, soft_wrap=True)


def _facts(found: "RunProfile") -> list[tuple[str, str]]:
    epoch, times = found.epoch, found.probe.seconds
    steps = ", ".join(f"{name} {seconds * 1e3:,.1f} ms" for name, seconds in times.items())
    unsound = "".join(f"; {name} unsound: {why}" for name, why in found.probe.unsound.items())
    return [
        ("device", f"{found.device}, {found.precision}, rows {found.data_path}, batches of {found.batch_size}"),
        ("speed", f"{epoch.samples_per_second:,.0f} windows/s over {epoch.steps} steps ({epoch.windows:,} an epoch)"),
        (
            "arithmetic",
            f"{found.flops / 1e9:,.3g} GFLOP/s, {found.flops / found.peak_flops:.0%} of the matrix products' "
            f"{found.peak_flops / 1e9:,.3g} measured here",
        ),
        ("optimizer", f"{epoch.optimizer / epoch.phases.total:.1%} of an epoch, a part of backward"),
        ("memory", f"{epoch.peak_memory / 2**20:,.0f} MiB at most"),
        ("threads", f"{found.workers} workers x {found.threads} threads on {found.cores} cores"),
        ("precision", f"a step takes {steps}{unsound}"),
        ("CUDA graph", f"no: {epoch.no_graph}" if epoch.no_graph else "yes"),
    ]


def lr_find(
    file: StudyFile,
    out: Annotated[Path | None, typer.Option(help="HTML file of the curve; else in the home folder's reports.")] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Run a study file's LR range test, suggest learning rates and draw the curve; the study uses the same result."""
    from rich.console import Console

    from amnl_tune.artifacts import Artifacts
    from amnl_tune.cli.display import Terminal
    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.database.engine import Ledger
    from amnl_tune.database.schema import upgrade
    from amnl_tune.files import require_place
    from amnl_tune.ledger.studies import as_begun
    from amnl_tune.results.figures import write_range_test
    from amnl_tune.rul.preparation import cached_prepare
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.lr_prior import prior_from
    from amnl_tune.search.opening import range_test
    from amnl_tune.service.data import on_available_data
    from amnl_tune.studies.study_file import load_study_spec

    quiet_libraries()
    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir)
    source = FleetSource(places.data_dirs)
    spec = on_available_data(load_study_spec(file), source, Terminal(console))
    out = out or places.home / "reports" / f"{spec.name}-lr-range-test.html"
    require_place(out)
    upgrade(places.storage)
    ledger = Ledger(places.storage)
    spec = as_begun(ledger, spec)
    config = spec.run_config(spec.incumbent_parameters())
    data = cached_prepare(source.training(spec.data.dataset), config, Artifacts(places.home).prepared)
    with console.status("Learning rate range test"):
        test = range_test(ledger, spec, data, device=device or spec.hardware.device)
    write_range_test(test, out)
    prior = prior_from(test, spec)
    facts = {
        "suggested": test.suggested,
        "rule": spec.lr_range_test.suggestion,
        "used": prior.suggested,
        "prior": prior.interval,
        "iterations": len(test.curve.lr),
        "figure": str(out),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for rule, rate in test.suggested.items():
        mark = "  <- the study file's rule" if rule == spec.lr_range_test.suggestion else ""
        console.print(f"{rule:<12}{'no fall in the curve' if rate is None else f'{rate:.3g}'}{mark}", highlight=False)
    if prior.interval:
        console.print(f"A study would search {prior.interval[0]:.3g} to {prior.interval[1]:.3g}", highlight=False)
    console.print(f"Curve ({len(test.curve.lr)} iterations): {out}", highlight=False, soft_wrap=True)
