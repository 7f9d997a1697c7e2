"""`amnl-tune plan`: what a study will take before anything is spent, and afterwards what it has taken."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from amnl_tune.bounds import MOST_WORKERS
from amnl_tune.cli.options import (
    DataDir,
    Device,
    Home,
    Json,
    Precision,
    Storage,
    existing_ledger,
    ledger_if_any,
    settings,
)

if TYPE_CHECKING:
    from rich.console import Console

    from amnl_tune.measure.plan.machines import Machines
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.settings import Settings
    from amnl_tune.studies.spec import StudySpec


def plan(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Study file; with --scenario else studies/fd001.toml."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_WORKERS, help="Worker processes that `run` will have; else the study file's."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(
            help="A published scenario in the place of the GPUs; repeat it: research-quick, research-full, production, "
            "large-scale."
        ),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(help="A published scenario as a study file, to be written by --write.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="The new study file of --scenario; nothing is timed.")] = None,
    prices: Annotated[
        Path | None, typer.Option(help="TOML file with prices and minutes of GPUs that replace the published ones.")
    ] = None,
    actual: Annotated[
        bool, typer.Option("--actual", help="Hold the remembered plan against what the study has spent.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="HTML file: cost against wall time over machines.")] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    device: Device = None,
    precision: Precision = None,
    as_json: Json = False,
) -> None:
    """Predict epochs, wall time, accelerator hours and money of a study: here, after a calibration of seconds, and
    on the published GPUs; compare with its budget. The prediction is remembered for `--actual`.
    """
    from rich.console import Console

    from amnl_tune.cli.display import Terminal
    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.errors import ConfigurationError
    from amnl_tune.measure.plan.machines import load_machines
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.service.data import on_available_data
    from amnl_tune.studies.study_file import load_study_spec

    quiet_libraries()
    if scenario or write:
        _write_scenario(file, scenario, write, load_machines(prices), as_json=as_json)
        return
    if file is None:
        raise typer.BadParameter("a study file is needed; or --scenario, to write one")
    if actual and (preset or prices or out):
        raise ConfigurationError(
            "`--actual` must stand without --preset, --prices and --out, but got one of them; drop it"
        )
    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir)
    machines = load_machines(prices)
    for name in preset or ():
        machines.scenario(name)  # a typo is told before anything is measured
    source = FleetSource(places.data_dirs)
    spec = on_available_data(load_study_spec(file), source, Terminal(console))
    changes = {"workers": workers, "device": device, "precision": precision}
    given = {name: value for name, value in changes.items() if value is not None}
    hardware = type(spec.hardware).model_validate(spec.hardware.model_dump() | given)
    spec = spec.model_copy(update={"hardware": hardware})
    if actual:
        _show_actual(spec, places, console, as_json=as_json)
    else:
        _show_plan(spec, places, source, machines, preset or [], out, console, as_json=as_json)


def _write_scenario(
    file: Path | None, name: str | None, place: Path | None, machines: "Machines", *, as_json: bool
) -> None:
    from amnl_tune.errors import ConfigurationError
    from amnl_tune.installation import program, shipped
    from amnl_tune.measure.plan.scenarios import write_scenario

    if name is None or place is None:
        raise ConfigurationError(
            "`--scenario` and `--write` must stand together, but one of them is missing; write "
            "`--scenario production --write studies/production.toml`, or use --preset to plan another study for it"
        )
    spec = write_scenario(machines, name, file or shipped("fd001.toml"), place)
    if as_json:
        typer.echo(json.dumps({"study": spec.name, "scenario": name, "file": str(place)}, indent=2))
        return
    typer.echo(f"{place}: study {spec.name!r}, the published scenario {name}. Try next:")
    typer.echo(f"  {program()} plan {place}\n  {program()} run {place}")


def _show_plan(
    spec: "StudySpec",
    places: "Settings",
    source: "FleetSource",
    machines: "Machines",
    presets: list[str],
    out: Path | None,
    console: "Console",
    *,
    as_json: bool,
) -> None:
    from amnl_tune.artifacts import Artifacts
    from amnl_tune.cli.measure.plan_tables import print_plan
    from amnl_tune.files import require_place
    from amnl_tune.measure.figures import write_plan
    from amnl_tune.measure.plan.actual import remember
    from amnl_tune.measure.plan.plan import plan_here
    from amnl_tune.measure.plan.run_lengths import Records, recorded
    from amnl_tune.rul.preparation import cached_prepare
    from amnl_tune.search.opening import execution_of

    if out is not None:
        require_place(out)
    config = spec.run_config(spec.incumbent_parameters())
    with ledger_if_any(places) as ledger:
        records = recorded(ledger, spec) if ledger else Records()
    data = cached_prepare(source.training(spec.data.dataset), config, Artifacts(places.home).prepared)
    execution = execution_of(spec.hardware, home=places.home)
    with console.status("Calibration: training steps of this study"):
        made = plan_here(spec, data, execution, published=machines, presets=presets, records=records)
    remembered = remember(places.home, spec, made)
    if out is not None:
        write_plan(made, out)
    if as_json:
        files = {"remembered": str(remembered), "figure": str(out) if out else None}
        typer.echo(json.dumps(made.plain() | files, indent=2))
        return
    print_plan(console, made)
    for place in (remembered, *([out] if out else [])):
        console.print(str(place), highlight=False, markup=False, soft_wrap=True, style="dim")


def _show_actual(spec: "StudySpec", places: "Settings", console: "Console", *, as_json: bool) -> None:
    from amnl_tune.cli.measure.plan_tables import print_actual
    from amnl_tune.measure.plan.actual import comparison, recall, spending

    remembered = recall(places.home, spec)
    spent = spending(existing_ledger(places), spec.name)
    frame = comparison(remembered, spent, spec.hardware.price_per_hour)
    if not as_json:
        print_actual(console, spec.name, remembered, spent, frame)
        return
    facts: dict[str, Any] = {
        "study": spec.name,
        "planned": remembered.made,
        "workers": spent.workers,
        "open_runs": spent.open_runs,
        "quantities": json.loads(frame.to_json(orient="records")),
    }
    typer.echo(json.dumps(facts, indent=2))
