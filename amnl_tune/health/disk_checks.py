"""Room on this host's disks, and checkpoints that nobody needs any more."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sqlalchemy import select

from amnl_tune.artifacts import LAST, ArtifactStore, RunKey, is_checkpoint, is_kept, run_of
from amnl_tune.database.models import RunRow, RunStatus, StudyRow
from amnl_tune.health.finding import Case, Finding, Severity
from amnl_tune.ledger.leases import FINISHED
from amnl_tune.ledger.stored import told_apart
from amnl_tune.masking import masked
from amnl_tune.studies.spec import StudySpec
from amnl_tune.unfinished import abandoned

LEAST_BYTES = 1e9
LEAST_SHARE = 0.05


@dataclass(frozen=True)
class RunFiles:
    """Checkpoints in one run's folder."""

    key: RunKey
    name: str
    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True)
class CheckpointFiles:
    """Checkpoints in an artifact store; what is not named like ours does not exist for it."""

    store: ArtifactStore

    def runs(self, wanted: Callable[[str], bool] = is_checkpoint) -> list[RunFiles]:
        """Every run folder with a file of such a name in it. Raises StorageError."""
        folders = [(study, run) for study in self.store.names() for run in self.store.names(study)]
        return [found for study, run in folders if (found := self._run(study, run, wanted))]

    def _run(self, study: str, run: str, wanted: Callable[[str], bool]) -> RunFiles | None:
        key = run_of(study, run)
        folder = f"{study}/{run}"
        files = tuple(name for name in self.store.names(folder) if wanted(name)) if key else ()
        if key is None or not files:
            return None
        return RunFiles(key, folder, files, sum(self.store.size(f"{folder}/{name}") for name in files))

    def delete(self, run: RunFiles) -> None:
        """Its checkpoints, and the folder if nothing else is in it. Raises StorageError."""
        for name in run.files:
            self.store.delete(f"{run.name}/{name}")


def leftovers(case: Case) -> Iterator[Finding]:
    """Checkpoints of runs that have ended, or that no study here knows."""
    kept = CheckpointFiles(case.artifacts.store)
    there = kept.runs()  # before the rows: a run's row is older than its folder
    if case.study is not None:
        there = [run for run in there if run.key.study == case.study]
    needed, known = _needed(case)
    orphans = [run for run in there if run.key not in needed and run.key.study in known]
    foreign = [run for run in [*there, *kept.runs(is_kept)] if run.key.study not in known | {case.study}]
    if orphans:
        yield Finding(
            Severity.WARNING,
            "checkpoints",
            f"{_listed(orphans)} in {masked(kept.store.url)} are of runs that have ended or never were",
            "delete them with --fix; weights of promoted runs stay",
            partial(_delete, kept, orphans),
        )
    if foreign:
        yield Finding(
            Severity.WARNING,
            "checkpoints",
            f"{_listed(foreign)} in {masked(kept.store.url)} are of studies that this storage does not have",
            "delete the folders by hand, unless another storage is used with this home folder",
        )
    if not orphans and not foreign:
        yield Finding(Severity.OK, "checkpoints", f"every checkpoint here is of an open run, runs: {len(there)}")


def kept_checkpoints(case: Case) -> Iterator[Finding]:
    """Those that stay beyond their run's end, and those that the study's settings no longer ask for."""
    files = CheckpointFiles(case.artifacts.store)
    with case.ledger.read() as session:
        specs, _ = told_apart(session.scalars(select(StudyRow)))
    wanted = set(specs) if case.study is None else {case.study} & set(specs)
    there = [run for run in files.runs(is_kept) if run.key.study in wanted]
    dropped = [run for run in (_dropped(files, run, specs[run.key.study]) for run in there) if run.files]
    if dropped:
        yield Finding(
            Severity.WARNING,
            "checkpoints",
            f"{_listed(dropped)} in {masked(files.store.url)} were kept, and the study's `keep_every` and `keep_last` "
            "no longer ask for them",
            "delete them with --fix; weights of promoted runs stay",
            partial(_delete, files, dropped),
        )
    elif there:
        size = sum(run.bytes for run in there) / 1e6
        what = f"{sum(len(run.files) for run in there)} are kept of runs that may have ended ({size:.1f} MB)"
        yield Finding(Severity.OK, "checkpoints", f"{what}, as `keep_every` and `keep_last` ask for")


def _dropped(files: CheckpointFiles, run: RunFiles, spec: StudySpec) -> RunFiles:
    """Those of a run's kept checkpoints that its study does not ask for."""
    promoted = run.key.promotion > 0
    every = spec.promotion.keep_every if promoted else spec.trial.keep_every
    asked = {True: promoted and spec.promotion.keep_last, False: every is not None}
    names = tuple(name for name in run.files if not asked[name == LAST])
    return replace(run, files=names, bytes=sum(files.store.size(f"{run.name}/{name}") for name in names))


def _needed(case: Case) -> tuple[set[RunKey], set[str]]:
    """Runs that may still read a checkpoint, and the studies there are."""
    with case.ledger.read() as session:
        specs, unreadable = told_apart(session.scalars(select(StudyRow)))
        query = select(RunRow.study, RunRow.promotion, RunRow.trial_number, RunRow.slot, RunRow.status)
        rows = list(session.execute(query))
    needed: set[RunKey] = set()
    for study, promotion, trial, slot, status in rows:
        # under one horizon a promoted run goes on from its trial's last checkpoint
        one_horizon = study not in specs or specs[study].trial.horizon is not None
        promotable = promotion == 0 and status is RunStatus.COMPLETE and one_horizon
        if status not in FINISHED or promotable:
            number = slot if promotion else trial
            needed |= {RunKey(study, promotion, number)} if number is not None else set()
    return needed, {*specs, *unreadable}


def _listed(runs: list[RunFiles]) -> str:
    first = ", ".join(run.name for run in runs[:3]) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")
    return f"checkpoints of {first} ({sum(run.bytes for run in runs) / 1e6:.1f} MB)"


def _delete(kept: CheckpointFiles, runs: list[RunFiles]) -> str:
    for run in runs:
        kept.delete(run)
    return f"deleted {_listed(runs)}"


def unfinished_files(case: Case) -> Iterator[Finding]:
    """Parts of reports, exports, backups that killed processes left; silent where there is nothing."""
    found = [path for folder in _folders(case) for path in abandoned(folder)]
    if not found:
        return
    listed = ", ".join(str(path) for path in found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
    megabytes = sum(path.stat().st_size for path in found if path.exists()) / 1e6
    yield Finding(
        Severity.WARNING,
        "unfinished",
        f"{listed} ({megabytes:.1f} MB) were left by processes that were killed",
        "delete them with --fix",
        partial(_unlink, found),
    )


def _folders(case: Case) -> list[Path]:
    home = case.artifacts.home
    folders = {home, *(path for path in home.rglob("*") if path.is_dir() and not path.is_symlink()), Path.cwd()}
    if case.ledger.url.get_backend_name() == "sqlite":
        folders.add(Path(str(case.ledger.url.database)).absolute().parent)
    return sorted({folder.absolute() for folder in folders})


def _unlink(paths: list[Path]) -> str:
    for path in paths:
        path.unlink(missing_ok=True)
    return f"deleted {len(paths)} unfinished files"


def room(case: Case) -> Iterator[Finding]:
    """On the disks of the home folder, the artifacts and an SQLite database."""
    store, home = case.artifacts.store, case.artifacts.home
    places = [home, *([Path(store.root)] if store.is_local else [])]
    if case.ledger.url.get_backend_name() == "sqlite":
        places.append(Path(str(case.ledger.url.database)))
    yield from space(places)


def space(places: list[Path], *, least: float = LEAST_BYTES, share: float = LEAST_SHARE) -> Iterator[Finding]:
    """One finding a disk; short of room means fewer bytes than `least`, or a smaller share of the disk than `share`."""
    seen = set()
    for place in (_existing(place) for place in places):
        if place.stat().st_dev in seen:
            continue
        seen.add(place.stat().st_dev)
        disk = shutil.disk_usage(place)
        facts = f"{disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB are free at {place}"
        if disk.free < least or disk.free < share * disk.total:
            remedy = "free space, or move there with --home or --storage where there is more"
            what = f"at least {least / 1e9:g} GB and {share:.0%} must be free, but {facts}"
            yield Finding(Severity.WARNING, "disk", what, remedy)
        else:
            yield Finding(Severity.OK, "disk", facts)


def _existing(place: Path) -> Path:
    """The place, or the folder that it will be made in."""
    place = place.absolute()
    return next(path for path in (place, *place.parents) if path.exists())
