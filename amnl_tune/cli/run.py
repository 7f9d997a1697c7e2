"""`amnl-tune run`, `promote`: the whole line from a study file to an exported model; full runs of the best trials."""

import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    existing_ledger,
    settings,
)
from amnl_tune.cli.streams import as_interrupt
from amnl_tune.installation import program

if TYPE_CHECKING:
    from amnl_tune.cli.pipeline import Session
    from amnl_tune.search.opening import OpenedStudy
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

    from amnl_tune.cli.display import clock
    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.cli.pipeline import Session, on_available_data
    from amnl_tune.database.engine import Ledger
    from amnl_tune.rul.sources import FleetSource
    from amnl_tune.studies.study_file import load_study_spec

    quiet_libraries()
    spec = load_study_spec(file)
    console = Console(stderr=as_json)
    places = settings(storage, home, data_dir, artifacts)
    spec = on_available_data(spec, FleetSource(places.data_dirs), console)
    session = Session(
        console=console,
        places=places,
        ledger=Ledger(places.storage),
        workers=spec.hardware.workers if workers is None else workers,
        threads=threads or spec.hardware.threads_per_worker,
        device=device or spec.hardware.device,
        tensorboard=tensorboard,
    )
    _run(session, spec, out or Path("exports") / spec.name, as_json=as_json)
    if not as_json:
        _say(session, f"\nTook {clock(time.monotonic() - started)}.")


def _run(session: "Session", spec: "StudySpec", out: Path, *, as_json: bool) -> None:
    from amnl_tune.cli.summary import print_summary
    from amnl_tune.files import json_text

    facts = whole_line(session, spec, out)
    if as_json:
        typer.echo(json_text(facts))
        return
    print_summary(session.console, facts)
    _point_on(session, spec, {name: facts[name] for name in ("export", "report") if name in facts})


def whole_line(session: "Session", spec: "StudySpec", out: Path) -> dict[str, Any]:
    """From study file to export and report; the study's facts, and where these two are."""
    from amnl_tune.promotion.candidates import open_promotion
    from amnl_tune.promotion.scoring import ensure_scored
    from amnl_tune.results.facts import summarize
    from amnl_tune.search.opening import open_study

    _require_what_the_end_needs(session, spec, out)
    _say(session, f"{spec.name}: {spec.question}")
    opened = open_study(session.ledger, spec, session.source, session.artifacts, device=session.device)
    spec = opened.spec
    _announce(session, opened)
    with session.crew(spec) as crew:
        session.search(spec, opened.prior, crew)
        number = open_promotion(session.ledger, spec) if spec.promotion.enabled else None
        scored = number is not None and session.is_scored(spec.name, number)
        if number is not None and not scored:
            session.train_promotion(spec, number, crew)
    made: dict[str, str] = {}
    if number is not None:
        if scored:
            _say(session, f"Study {spec.name!r} is finished; raise `budget.trials` to extend it. Its result:")
        with nullcontext() if scored else session.scoring(spec):
            ensure_scored(session.ledger, spec, session.source, session.artifacts, number=number)
        made = _ship(session, spec, out)
    return summarize(session.ledger, spec.name) | made


def _require_what_the_end_needs(session: "Session", spec: "StudySpec", out: Path) -> None:
    """Before anything is trained: the score must find its files whole, export and report a place.

    The test engines are read for their form alone; nothing of them is kept.

    Raises:
        DataError: a file of the test engines is wrong. BundleError, StorageError: what is at a place, or its disk.
    """
    from amnl_tune.files import require_place
    from amnl_tune.results.export.bundle import require_replaceable

    if spec.promotion.enabled:
        session.source.test(spec.data.dataset)
        require_replaceable(out)
        require_place(out, folder=True)
        require_place(_report(session, spec))


def _report(session: "Session", spec: "StudySpec") -> Path:
    return session.places.home / "reports" / f"{spec.name}.html"


def _announce(session: "Session", opened: "OpenedStudy") -> None:
    spec, test, prior = opened.spec, opened.range_test, opened.prior
    _say(
        session,
        f"Study {spec.name!r} {opened.opening}: {spec.budget.trials} trials of {spec.trial.epochs} epochs",
    )
    if test and prior.interval and prior.suggested is not None:
        known = " (known from before)" if test.cached else f" in {test.seconds:.1f} s"
        low, high = prior.interval
        _say(session, f"LR range test{known}: {prior.suggested:.3g}; searching {low:.3g} to {high:.3g}")


def _ship(session: "Session", spec: "StudySpec", out: Path) -> dict[str, str]:
    """Export and report; where they are."""
    from amnl_tune.results.export.export import ship
    from amnl_tune.results.report import write_report

    report = _report(session, spec)
    ship(session.ledger, spec, session.source, session.artifacts, out)
    write_report(session.ledger, spec.name, report)
    return {"export": str(out), "report": str(report)}


def _point_on(session: "Session", spec: "StudySpec", made: dict[str, str]) -> None:
    for name, place in made.items():
        _say(session, f"{name.capitalize():<7} {place}")
    test_file = session.source.find(f"test_{spec.data.dataset}.txt")
    predict = f"predict {made['export']} {test_file}" if made else f"promote {spec.name}"
    _say(session, "\nTry next:")
    for command, meaning in (
        ("dashboard", "browse the trials"),
        (predict, "use the exported model" if made else "full runs of the best trials"),
        *((command, meaning) for name, command, meaning in OFFERS if name != spec.name),
    ):
        _say(session, f"  {program()} {command}    # {meaning}")


def _say(session: "Session", text: str) -> None:
    session.console.print(text, highlight=False, markup=False, soft_wrap=True)


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

    from amnl_tune.cli.options import quiet_libraries
    from amnl_tune.cli.pipeline import Session
    from amnl_tune.cli.summary import print_summary
    from amnl_tune.files import json_text
    from amnl_tune.ledger.stored import stored_spec
    from amnl_tune.ledger.studies import find_study
    from amnl_tune.promotion.candidates import open_promotion, seeds_for
    from amnl_tune.promotion.scoring import require_unscored, score_again
    from amnl_tune.results.facts import summarize
    from amnl_tune.training.execution import require_devices

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

    from amnl_tune.promotion.contamination import select_on_test
    from amnl_tune.search.opening import execution_of

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
