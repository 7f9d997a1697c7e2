"""`amnl-tune replay`: a trial again from its record, epoch by epoch."""

from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_NUMBER
from amnl_tune.cli.options import DataDir, Device, Home, Json, Storage, Study, existing_ledger, settings

if TYPE_CHECKING:
    from rich.table import Table

    from amnl_tune.search.replaying import Replay

__all__ = ["replay"]

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

    from amnl_tune.cli.quiet import quiet_libraries
    from amnl_tune.errors import StudyError
    from amnl_tune.files import json_text
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.search.artifacts import Artifacts
    from amnl_tune.search.devices import resolve_device
    from amnl_tune.search.ledger.stored import stored_spec
    from amnl_tune.search.ledger.studies import find_study
    from amnl_tune.search.replaying import recorded_run
    from amnl_tune.search.replaying import replay as replayed
    from amnl_tune.search.study_data import study_data

    quiet_libraries()
    places = settings(storage, home, data_dir)
    ledger = existing_ledger(places)
    record = recorded_run(ledger, study, trial, seed=seed)
    row = find_study(ledger, study)
    data = study_data(row, stored_spec(row), FleetSource(places.data_dirs), Artifacts(places.home))
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
