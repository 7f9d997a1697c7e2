"""What the commands do, from Python: the same code, the same study, nothing printed.

Places (`storage`, `home`, `data_dir`, `artifacts`) are those of the commands' options; what is left out comes from the
environment (`AMNL_TUNE_STORAGE`, ...), else from the defaults. Workers are processes of their own. Mistakes raise
`amnl_tune.errors.AmnlTuneError`.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amnl_tune.artifacts import Artifacts
from amnl_tune.bounds import MOST_LOCAL_WORKERS, MOST_THREADS, require
from amnl_tune.database.engine import Ledger
from amnl_tune.database.schema import require_schema
from amnl_tune.ledger.artifact_probe import require_shared_artifacts
from amnl_tune.ledger.promotions import find_run
from amnl_tune.ledger.studies import find_study
from amnl_tune.promotion.candidates import open_promotion
from amnl_tune.promotion.scoring import score_again
from amnl_tune.results import sentences
from amnl_tune.results.export.export import ship
from amnl_tune.results.facts import summarize
from amnl_tune.rul.preparation import PreparedData
from amnl_tune.rul.sources import FleetSource
from amnl_tune.search.checkpoints import Checkpoints
from amnl_tune.search.opening import Workspace
from amnl_tune.service.data import on_available_data
from amnl_tune.service.line import whole_line
from amnl_tune.service.listener import Silence
from amnl_tune.service.session import Session
from amnl_tune.settings import Settings
from amnl_tune.studies.spec import StudySpec
from amnl_tune.studies.study_file import load_study_spec
from amnl_tune.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class StudyOutcome:
    """What a study has found.

    Attributes:
        study: its name. trial: of the best network; None: the study was not promoted.
        validation_rmse, test_rmse: of that network in cycles, means over the seeds. nasa_score: likewise; may be
            infinite.
        verdict: of the network against boosting, of the choice, and against the published defaults; in sentences.
        choice: what the validation engines chose: "network", "boosting" or "mix". choice_test_rmse: its own, in cycles.
        export, report: where they were written; None: nowhere.
        facts: everything that `amnl-tune study show --json` tells.
    """

    study: str
    trial: int | None
    validation_rmse: float | None
    test_rmse: float | None
    nasa_score: float | None
    verdict: str | None
    choice: str | None
    choice_test_rmse: float | None
    export: Path | None
    report: Path | None
    facts: dict[str, Any]


def run_study(
    study: StudySpec | Path | str,
    *,
    storage: str | None = None,
    home: Path | str | None = None,
    data_dir: Path | str | None = None,
    artifacts: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    out: Path | str | None = None,
) -> StudyOutcome:
    """`amnl-tune run`: LR range test, trials, promotion, one score on the test engines, export, report. Resumable.

    Args:
        study: a study file, or what `load_study_spec` made of one.
        workers: processes; 0: wait for workers elsewhere. threads: of each. device: of the workers.
        out: folder of the export; None: exports/STUDY.

    Raises:
        AmnlTuneError: as the command; the study goes on when it is called again.

    Example:
        >>> from amnl_tune import run_study
        >>> outcome = run_study("studies/quickstart.toml")
        >>> print(outcome.verdict, outcome.test_rmse, outcome.export)
    """
    spec = study if isinstance(study, StudySpec) else load_study_spec(study)
    places = _places(home, storage, data_dir, artifacts)
    session = _session(places, spec, Ledger(places.storage), workers=workers, threads=threads, device=device)
    spec = on_available_data(spec, session.workspace.source, session.listener)
    return _outcome(whole_line(session, spec, Path(out) if out else Path("exports") / spec.name))


def promote(
    study: str,
    *,
    top: int | None = None,
    seeds: Sequence[int] | None = None,
    random: int = 0,
    force: bool = False,
    storage: str | None = None,
    home: Path | str | None = None,
    data_dir: Path | str | None = None,
    artifacts: str | None = None,
    workers: int | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> StudyOutcome:
    """`amnl-tune promote`: full runs of the best trials and the published defaults, then one score. Resumable.

    Args:
        study: its name. top: trials; None: the file's. seeds: of each; None: the file's.
        random: further complete trials, for the proxy check. force: score the test engines again; it stays marked.

    Raises:
        StudyError: no trial is complete, or the promotion has its score and `force` is not set. AmnlTuneError.

    Example:
        >>> from amnl_tune import promote
        >>> print(promote("quickstart", top=2, seeds=[42, 123, 456]).verdict)
    """
    places = _places(home, storage, data_dir, artifacts)
    known = find_study(_ledger(places), study)
    session = _session(places, known.spec, known.ledger, workers=workers, threads=threads, device=device)
    require_shared_artifacts(known, session.workspace.artifacts.store)
    number = open_promotion(known, top_k=top, seeds=seeds, random=random)
    session.train_promotion(known, number)
    score_again(session.workspace, known, number=number, force=force)
    return _outcome(summarize(known.again()))


def export(
    study: str,
    out: Path | str,
    *,
    trial: int | None = None,
    kind: str | None = None,
    storage: str | None = None,
    home: Path | str | None = None,
    data_dir: Path | str | None = None,
    artifacts: str | None = None,
) -> Path:
    """`amnl-tune export`: what the validation engines have chosen, or another candidate, as a folder that predicts.

    Args:
        study: its name. out: the folder. trial: the network of a promoted one; None: the choice.
        kind: "network", "boosting" or "mix" instead of the choice; not together with `trial`.

    Raises:
        StudyError: there is no scored promotion, or it has no such trial or candidate.
        BundleError: the folder is something else.

    Example:
        >>> from amnl_tune import export, load_bundle
        >>> bundle = load_bundle(export("quickstart", "exports/quickstart"))
        >>> print(bundle.config.learning_rate, bundle.metrics["comparison"]["words"])
    """
    places = _places(home, storage, data_dir, artifacts)
    known = find_study(_ledger(places), study)
    ship(_workspace(places, known.ledger), known, Path(out), trial=trial, kind=kind)
    return Path(out)


def load_checkpoint(
    study: str,
    trial: int,
    *,
    seed: int | None = None,
    epoch: int | None = None,
    storage: str | None = None,
    home: Path | str | None = None,
    data_dir: Path | str | None = None,
    artifacts: str | None = None,
) -> Checkpoint:
    """A kept checkpoint, with its optimiser: of a promoted run after its last epoch, or of a run after any kept one.

    They lie among the artifacts: STUDY/promotion-001-run-00/last.pt, STUDY/trial-00012/epoch-00010.pt, ...

    Args:
        study: its name. trial: a trial's number.
        seed: of this trial's run in the newest promotion that has one; None: the trial itself, which keeps no last one.
        epoch: a multiple of `keep_every`; None: the last one.

    Raises:
        StudyError: there is no such run. CheckpointError: it has kept no such checkpoint.

    Example:
        >>> from amnl_tune import load_checkpoint, run_study, study_data
        >>> from amnl_tune.training.fit import fit
        >>> best = run_study("studies/quickstart.toml").trial
        >>> longer = load_checkpoint("quickstart", best, seed=42).extended(epochs=110)
        >>> epoch = next(fit(longer.config, study_data("quickstart"), resume=longer))
        >>> print(epoch.number, epoch.validation_rmse)
    """
    places = _places(home, storage, data_dir, artifacts)
    kept = Artifacts(places.home, places.artifacts)
    return Checkpoints(kept.store, kept.folder(find_run(find_study(_ledger(places), study), trial, seed))).kept(epoch)


def study_data(
    study: str, *, storage: str | None = None, home: Path | str | None = None, data_dir: Path | str | None = None
) -> PreparedData:
    """A study's training and validation engines, prepared as its runs have them: what `training.fit.fit` takes.

    Raises:
        StudyError: unknown study, or other data than its own. DataError: they cannot be read.

    Example:
        >>> from amnl_tune import study_data
        >>> print(study_data("quickstart").dataset)
    """
    places = _places(home, storage, data_dir, None)
    known = find_study(_ledger(places), study)
    return _workspace(places, known.ledger).data_of(known)


def _places(
    home: Path | str | None, storage: str | None, data_dir: Path | str | None, artifacts: str | None
) -> Settings:
    return Settings.resolve(
        os.environ,
        home=Path(home) if home else None,
        storage=storage,
        data_dir=Path(data_dir) if data_dir else None,
        artifacts=artifacts,
    )


def _ledger(places: Settings) -> Ledger:
    require_schema(places.storage)
    return Ledger(places.storage)


def _workspace(places: Settings, ledger: Ledger) -> Workspace:
    return Workspace(ledger, FleetSource(places.data_dirs), Artifacts(places.home, places.artifacts))


def _session(
    places: Settings,
    spec: StudySpec,
    ledger: Ledger,
    *,
    workers: int | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Session:
    require("workers", workers, MOST_LOCAL_WORKERS, least=0)
    require("threads", threads, MOST_THREADS)
    return Session(
        listener=Silence(),
        places=places,
        ledger=ledger,
        workers=spec.hardware.workers if workers is None else workers,
        threads=threads or spec.hardware.threads_per_worker,
        device=device or spec.hardware.device,
        tensorboard=True,
    )


def _outcome(facts: dict[str, Any]) -> StudyOutcome:
    promotion = facts["promotion"] or {}
    winner, chosen = promotion.get("winner") or {}, promotion.get("choice") or {}
    made = {name: Path(facts[name]) if name in facts else None for name in ("export", "report")}
    return StudyOutcome(
        study=facts["study"],
        trial=winner.get("trial"),
        validation_rmse=winner.get("validation_rmse"),
        test_rmse=winner.get("test_rmse"),
        nasa_score=winner.get("nasa_score"),
        verdict=" ".join(sentences.verdicts(promotion)) or None,
        choice=chosen.get("kind"),
        choice_test_rmse=chosen.get("test_rmse"),
        facts=facts,
        **made,
    )
