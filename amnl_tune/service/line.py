"""The whole line: open, search, promote, score, export, report. Called again, it goes on where it stopped."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from amnl_tune.files import require_place
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.promotion.looks import latest_scores
from amnl_tune.promotion.scoring import ensure_scored
from amnl_tune.results.export.bundle import require_replaceable
from amnl_tune.results.export.export import ship
from amnl_tune.results.facts import summarize
from amnl_tune.results.report import write_report
from amnl_tune.search.opening import OpenedStudy, open_study
from amnl_tune.service.session import Session
from amnl_tune.studies.spec import StudySpec


def whole_line(session: Session, spec: StudySpec, out: Path) -> dict[str, Any]:
    """From study file to export and report.

    Args:
        session: whose places and wishes count. spec: of the study file. out: folder of the export.

    Returns:
        The study's facts, and where export and report are.

    Raises:
        AmnlTuneError: what the user can mend; nothing that was done is lost.
    """
    report = session.places.home / "reports" / f"{spec.name}.html"
    _require_what_the_end_needs(session, spec, out, report)
    session.listener.said(f"{spec.name}: {spec.question}")
    opened = open_study(session.workspace, spec, device=session.device)
    study = opened.study
    _announce(session, opened)
    with session.crew(study) as crew:
        session.search(study, crew)
        number = open_promotion(study) if study.spec.promotion.enabled else None
        known = latest_scores(study) if number is not None else None
        scored = known is not None and known.promotion == number
        if number is not None and not scored:
            session.train_promotion(study, number, crew)
    study = study.again()  # its budget may have been raised meanwhile, or somebody has stopped it
    made: dict[str, str] = {}
    if number is not None:
        if scored:
            session.listener.said(f"Study {study.name!r} is finished; raise `budget.trials` to extend it. Its result:")
        with nullcontext() if scored else session.scoring(study):
            ensure_scored(session.workspace, study, number=number)
        ship(session.workspace, study, out)
        write_report(study, report)
        made = {"export": str(out), "report": str(report)}
    return summarize(study) | made


def _require_what_the_end_needs(session: Session, spec: StudySpec, out: Path, report: Path) -> None:
    """Before anything is trained: the score must find its files whole, export and report a place.

    The test engines are read for their form alone; nothing of them is kept.

    Raises:
        DataError: a file of the test engines is wrong. BundleError, StorageError: what is at a place, or its disk.
    """
    if spec.promotion.enabled:
        session.workspace.source.test(spec.data.dataset)
        require_replaceable(out)
        require_place(out, folder=True)
        require_place(report)


def _announce(session: Session, opened: OpenedStudy) -> None:
    spec, prior, test = opened.study.spec, opened.study.prior, opened.range_test
    session.listener.said(
        f"Study {spec.name!r} {opened.opening}: {spec.budget.trials} trials of {spec.trial.epochs} epochs"
    )
    if test and prior.interval and prior.suggested is not None:
        known = " (known from before)" if test.cached else f" in {test.seconds:.1f} s"
        low, high = prior.interval
        session.listener.said(f"LR range test{known}: {prior.suggested:.3g}; searching {low:.3g} to {high:.3g}")
