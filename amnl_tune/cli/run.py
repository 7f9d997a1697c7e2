"""`amnl-tune run`, `promote`: the whole line from a study file to an exported model; full runs of the best trials."""

import signal
import time
from pathlib import Path
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
    StudyFile,
    Tensorboard,
    Threads,
    existing_study,
    settings,
)
from amnl_tune.cli.streams import as_interrupt
from amnl_tune.installation import program

if TYPE_CHECKING:
    from rich.console import Console

    from amnl_tune.ledger.studies import Study as KnownStudy
    from amnl_tune.service.session import Session
    from amnl_tune.studies.spec import StudySpec

OFFERS = (
    (
        "narrow_fd001",
        "run studies/narrow_fd001.toml",
        "a search that knows each engine's history: about 6 minutes on two CPU cores",
    ),
    ("fd001", "plan studies/fd001.toml", "before the full network's search: about 5 days on two CPU cores"),
)
"""Study, command, meaning. How long each takes is measured in studies/README.md."""


def run(
    file: StudyFile,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MOST_LOCAL_WORKERS,
            help="Worker processes; 0: wait for workers elsewhere. Else the study file's.",
        ),
    ] = None,
    storage: Storage = None,
    home: Home = None,
    data_dir: DataDir = None,
    artifacts: ArtifactUrl = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the export; else exports/STUDY.")] = None,
    device: Device = None,
    threads: Threads = None,
    tensorboard: Tensorboard = True,
    as_json: Json = False,
) -> None:
    """Run a study from its file to its end: LR range test, trials, promotion, one score on the test engines, export.

    The same command again continues where it stopped; a finished study shows its result. Two at once share the work.
    """
    started = time.monotonic()
    signal.signal(signal.SIGTERM, as_interrupt)
    from rich.console import Console

    from amnl_tune.cli.display import Terminal, clock
    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.database.engine import Ledger
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.service.data import on_available_data
    from amnl_tune.service.session import Session
    from amnl_tune.studies.study_file import load_study_spec

    quiet_libraries()
    spec = load_study_spec(file)
    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir, artifacts)
    listener = Terminal(console)
    spec = on_available_data(spec, FleetSource(places.data_dirs), listener)
    session = Session(
        listener=listener,
        places=places,
        ledger=Ledger(places.storage),
        workers=spec.hardware.workers if workers is None else workers,
        threads=threads or spec.hardware.threads_per_worker,
        device=device or spec.hardware.device,
        tensorboard=tensorboard,
    )
    _run(session, spec, out or Path("exports") / spec.name, console, as_json=as_json)
    if not as_json:
        listener.said(f"\nTook {clock(time.monotonic() - started)}.")


def _run(session: "Session", spec: "StudySpec", out: Path, console: "Console", *, as_json: bool) -> None:
    from amnl_tune.cli.summary import print_summary
    from amnl_tune.files import json_text
    from amnl_tune.service.line import whole_line

    facts = whole_line(session, spec, out)
    if as_json:
        typer.echo(json_text(facts))
        return
    print_summary(console, facts)
    _point_on(session, spec, {name: facts[name] for name in ("export", "report") if name in facts})


def _point_on(session: "Session", spec: "StudySpec", made: dict[str, str]) -> None:
    for name, place in made.items():
        session.listener.said(f"{name.capitalize():<7} {place}")
    test_file = session.workspace.source.find(f"test_{spec.data.dataset}.txt")
    predict = f"predict {made['export']} {test_file}" if made else f"promote {spec.name}"
    session.listener.said("\nTry next:")
    for command, meaning in (
        ("dashboard", "browse the trials"),
        (predict, "use the exported model" if made else "full runs of the best trials"),
        *((command, meaning) for name, command, meaning in OFFERS if name != spec.name),
    ):
        session.listener.said(f"  {program()} {command}    # {meaning}")


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

    from amnl_tune.cli.display import Terminal
    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.cli.summary import print_summary
    from amnl_tune.files import json_text
    from amnl_tune.ledger.artifact_probe import require_shared_artifacts
    from amnl_tune.promotion.candidates import open_promotion, seeds_for
    from amnl_tune.promotion.scoring import require_unscored, score_again
    from amnl_tune.results.facts import summarize
    from amnl_tune.service.session import Session
    from amnl_tune.training.execution import require_devices

    quiet_libraries()
    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir, artifacts)
    known = existing_study(places, study)
    spec = known.spec
    if gpus > 1:
        if workers not in (None, 1):
            raise typer.BadParameter(f"--gpus {gpus} trains one run at a time; leave --workers out")
        require_devices(gpus, device or spec.hardware.device)
        workers = 1
    session = Session(
        listener=Terminal(console),
        places=places,
        ledger=known.ledger,
        team=gpus,
        workers=spec.hardware.workers if workers is None else workers,
        threads=threads or spec.hardware.threads_per_worker,
        device=device or spec.hardware.device,
        tensorboard=tensorboard,
    )
    if seeds and seed:
        raise typer.BadParameter("--seeds counts and --seed names them; use one of them")
    require_shared_artifacts(known, session.workspace.artifacts.store)  # before workers that wait elsewhere begin
    number = open_promotion(known, top_k=top, seeds=seeds_for(spec, seeds) if seeds else seed, random=random)
    if test_selection:
        _contaminate(session, known, number, console)
    else:
        session.train_promotion(known, number)
        if not force:
            require_unscored(known, number)
        with session.scoring(known):
            score_again(session.workspace, known, number=number, force=force)
    facts = summarize(known.again())
    if as_json:
        typer.echo(json_text(facts))
    else:
        print_summary(console, facts)


def _contaminate(session: "Session", study: "KnownStudy", number: int, console: "Console") -> None:
    """What a choice by the test engines would have claimed, with a progress bar."""
    from rich.progress import Progress

    from amnl_tune.promotion.contamination import select_on_test
    from amnl_tune.search.opening import execution_of

    console.print(
        f"[bold yellow]This contaminates study {study.name!r}: the test engines are looked at after every epoch.[/]"
    )
    with Progress(console=console) as bar:
        task = bar.add_task("test selection", total=None)
        select_on_test(
            session.workspace,
            study,
            number=number,
            execution=execution_of(study.spec.hardware, home=session.places.home, device=session.device),
            epoch_done=lambda done, total: bar.update(task, completed=done, total=total),
        )
