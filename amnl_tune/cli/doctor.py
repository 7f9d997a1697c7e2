"""`amnl-tune doctor`, `replay`: what is wrong with the service; a trial again from its record."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_NUMBER
from amnl_tune.cli.options import (
    ArtifactUrl,
    DataDir,
    Device,
    Home,
    Json,
    Storage,
    Study,
    existing_study,
    settings,
    study_name,
)

if TYPE_CHECKING:
    from rich.table import Table

    from amnl_tune.search.replay import Replay

UNWELL = 1
STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def doctor(
    study: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="Look at this study only.", callback=study_name)
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Do what is safe to do, and say what was done.")] = False,
    storage: Storage = None,
    home: Home = None,
    artifacts: ArtifactUrl = None,
    as_json: Json = False,
) -> None:
    """Look for trouble: schema, leases, workers, versions, clocks, connections, SQLite's limits, disks, checkpoints,
    files that the workers of a study must share.

    Exit code 0: no error (there may be warnings); 1: errors that --fix did not mend; 2: the storage or the study cannot
    be looked at. --fix hands abandoned runs back, signs this host's dead workers out and deletes checkpoints of runs
    that have ended; a STUDY that it is asked about, and nobody works on, keeps its files at this host's --artifacts
    from then on. It stops no process and never deletes weights.
    """
    from rich.console import Console

    from amnl_tune.artifacts import Artifacts
    from amnl_tune.health.doctor import examine
    from amnl_tune.installation import as_typed_here

    places = settings(storage, home, artifacts=artifacts)
    treated = examine(places.storage, Artifacts(places.home, places.artifacts), study, fix=fix)
    if as_json:
        typer.echo(json.dumps([one.plain() for one in treated], indent=2))
    else:
        console = Console()
        for one in treated:
            found = one.finding
            console.print(f"[{STYLES[found.severity]}]{found.severity:<8}[/]", end="")
            console.print(f"{found.check}: {found.what}", highlight=False, markup=False, soft_wrap=True)
            if one.done or found.remedy:
                after = f"fixed: {one.done}" if one.done else as_typed_here(found.remedy)
                console.print(f"        -> {after}", highlight=False, markup=False, soft_wrap=True)
    if any(one.is_error for one in treated):
        raise typer.Exit(UNWELL)


SHOWN = 20


def replay(
    study: Study,
    trial: Annotated[int, typer.Argument(min=0, max=MOST_NUMBER, help="Number of the trial.")],
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=MOST_NUMBER, help="The trial's full run with this seed, of the newest promotion."),
    ] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Run a trial again from its record and compare every epoch: bit for bit on the same CPU. Writes nothing.

    Where an epoch differs, what is different here is listed: versions, device, threads, machine, precision.
    """
    import torch
    from rich.console import Console
    from rich.progress import Progress

    from amnl_tune.artifacts import Artifacts
    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.errors import StudyError
    from amnl_tune.files import json_text
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.opening import Workspace
    from amnl_tune.search.replay import recorded_run
    from amnl_tune.search.replay import replay as replayed
    from amnl_tune.training.execution import resolve_device

    quiet_libraries()
    places = settings(storage, home, data_dir)
    known = existing_study(places, study)
    record = recorded_run(known, trial, seed=seed)
    data = Workspace(known.ledger, FleetSource(places.data_dirs), Artifacts(places.home)).data_of(known)
    own = record.workers[-1].device if record.workers else "auto"
    place = torch.device(resolve_device(device or (own if own == "cpu" or torch.cuda.is_available() else "auto")))
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"trial {trial}", total=record.epochs[-1].number)
        outcome = replayed(record, data, device=place, epoch_done=lambda number: bar.update(task, completed=number))
    if as_json:
        deviations = [vars(deviation) for deviation in outcome.deviations]
        typer.echo(json_text({"equal": outcome.equal, **vars(outcome), "deviations": deviations}))
    elif outcome.equal:
        typer.echo(f"Trial {trial} of {study!r}: bit for bit equal over {outcome.epochs} epochs")
    else:
        Console().print(_table(outcome))
        typer.echo("\n".join(["What is different here:", *(outcome.differences or ["nothing that is recorded"])]))
    if not outcome.equal:
        first = outcome.deviations[0]
        raise StudyError(
            f"A replay must repeat every epoch, but {len(outcome.deviations)} figures of trial {trial} of {study!r} "
            f"differ, from epoch {first.epoch} on; compare the versions, device and data that are listed"
        )


def _table(outcome: "Replay") -> "Table":
    from rich.table import Table

    table = Table("epoch", "figure", "recorded", "replayed", "difference")
    for deviation in outcome.deviations[:SHOWN]:
        then, now = deviation.recorded, deviation.replayed
        apart = f"{now - then:+.3g}" if then is not None and now is not None else ""
        figures = ("not finite" if value is None else f"{value:.10g}" for value in (then, now))
        table.add_row(str(deviation.epoch), deviation.name, *figures, apart)
    if len(outcome.deviations) > SHOWN:
        table.caption = f"{len(outcome.deviations) - SHOWN} more"
    return table
