"""`amnl-tune promote`: full runs of the best trials, then one score on the test engines."""

from typing import TYPE_CHECKING, Annotated

import typer

from amnl_tune.bounds import MOST_GPUS, MOST_LOCAL_WORKERS, MOST_NUMBER, MOST_SEEDS, MOST_TOP
from amnl_tune.cli.options import (
    ArtifactUrl,
    DataDir,
    Device,
    Home,
    Json,
    Storage,
    Study,
    Tensorboard,
    Threads,
    existing_ledger,
    settings,
)

if TYPE_CHECKING:
    from amnl_tune.cli.pipeline import Session
    from amnl_tune.search.spec import StudySpec

__all__ = ["promote"]


def promote(
    study: Study,
    top: Annotated[
        int | None, typer.Option(min=1, max=MOST_TOP, help="How many trials; else the study file's `top_k`.")
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_SEEDS, help="How many seeds: the study file's first, then the published ones."),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(min=0, max=MOST_NUMBER, help="A seed by its number, instead of --seeds; repeat it."),
    ] = None,
    random: Annotated[
        int, typer.Option(min=0, max=MOST_TOP, help="Promote so many random complete trials too, for the proxy check.")
    ] = 0,
    force: Annotated[bool, typer.Option(help="Score the test engines again; every later result says so.")] = False,
    test_selection: Annotated[
        bool,
        typer.Option(
            "--test-selection",
            help="Contaminate the study: train winner and incumbent again and show what a choice by the test engines "
            "would have claimed. Every later result says so.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_LOCAL_WORKERS,
            help="Worker processes; 0: wait for workers elsewhere. Else the study file's.",
        ),
    ] = None,
    gpus: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_GPUS, help="Train each run on that many GPUs (on a CPU: processes), one run at a time."
        ),
    ] = 1,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    artifacts: ArtifactUrl = None,
    device: Device = None,
    threads: Threads = None,
    tensorboard: Tensorboard = True,
    as_json: Json = False,
) -> None:
    """Train the best trials and the published defaults at full length, choose by the validation engines, score once.

    The same command again continues where it stopped; a scored promotion is not scored again unless forced.
    """
    from rich.console import Console

    from amnl_tune.cli.pipeline import Session
    from amnl_tune.cli.quiet import quiet_libraries
    from amnl_tune.cli.summary import print_summary
    from amnl_tune.files import json_text
    from amnl_tune.results.summary import summarize
    from amnl_tune.search.devices import require_devices
    from amnl_tune.search.ledger.stored import stored_spec
    from amnl_tune.search.ledger.studies import find_study
    from amnl_tune.search.promotion import open_promotion, seeds_for
    from amnl_tune.search.scoring import require_unscored, score_again

    quiet_libraries()
    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir, artifacts)
    ledger = existing_ledger(places)
    spec = stored_spec(find_study(ledger, study))
    if gpus > 1:
        if workers not in (None, 1):
            raise typer.BadParameter(f"--gpus {gpus} trains one run at a time; leave --workers out")
        require_devices(gpus, device or spec.hardware.device)
        workers = 1
    session = Session(
        console=console,
        places=places,
        ledger=ledger,
        team=gpus,
        workers=spec.hardware.workers if workers is None else workers,
        threads=threads or spec.hardware.threads_per_worker,
        device=device or spec.hardware.device,
        tensorboard=tensorboard,
    )
    if seeds and seed:
        raise typer.BadParameter("--seeds counts and --seed names them; use one of them")
    session.require_shared_artifacts(study)  # before workers that wait elsewhere begin
    number = open_promotion(ledger, spec, top_k=top, seeds=seeds_for(spec, seeds) if seeds else seed, random=random)
    if test_selection:
        _contaminate(session, spec, number)
    else:
        session.train_promotion(spec, number)
        if not force:
            require_unscored(ledger, study, number)
        with session.scoring(spec):
            score_again(ledger, spec, session.source, session.artifacts, number=number, force=force)
    facts = summarize(ledger, study)
    if as_json:
        typer.echo(json_text(facts))
    else:
        print_summary(console, facts)


def _contaminate(session: "Session", spec: "StudySpec", number: int) -> None:
    """What a choice by the test engines would have claimed, with a progress bar."""
    from rich.progress import Progress

    from amnl_tune.search.devices import execution_of
    from amnl_tune.search.test_selection import select_on_test

    session.console.print(
        f"[bold yellow]This contaminates study {spec.name!r}: the test engines are looked at after every epoch.[/]"
    )
    with Progress(console=session.console) as bar:
        task = bar.add_task("test selection", total=None)
        select_on_test(
            session.ledger,
            spec,
            session.source,
            session.artifacts,
            number=number,
            execution=execution_of(spec.hardware, home=session.places.home, device=session.device),
            epoch_done=lambda done, total: bar.update(task, completed=done, total=total),
        )
