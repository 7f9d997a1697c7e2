"""Whether this host reads what the studies' workers write."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy import select

from amnl_tune.masking import masked
from amnl_tune.search.artifact_probe import Probe, claim_artifacts, is_readable, recorded_probes
from amnl_tune.search.checks.finding import Case, Finding, Severity
from amnl_tune.search.ledger.models import StudyRow

__all__ = ["shared_artifacts"]


def shared_artifacts(case: Case) -> Iterator[Finding]:
    """Studies' probes, read at the artifact location that this host would use."""
    with case.ledger.read() as session:
        names = list(session.scalars(select(StudyRow.name).order_by(StudyRow.created_at)))
    probes = recorded_probes(case.ledger, [name for name in names if case.study in {None, name}])
    store = case.artifacts.store
    missed = {name: probe for name, probe in probes.items() if not is_readable(probe, name, store)}
    for name, probe in missed.items():
        busy = any(worker.study == name for worker in case.alive)
        yield Finding(
            Severity.ERROR if busy else Severity.WARNING,
            "artifacts",
            f"files of study {name!r} are in {probe.url} of {probe.host}, but its {probe.file(name)} is not in "
            f"{masked(store.url)} here; workers started with this place would be refused",
            "set --artifacts or AMNL_TUNE_ARTIFACTS to one URL or network folder for all of its workers"
            + (
                ""
                if busy
                else f"; where those files are gone for good, `amnl-tune doctor {name} --fix` begins anew here"
            ),
            partial(_move, case, name, probe) if case.study == name and not busy else None,
        )
    if not missed:
        yield Finding(Severity.OK, "artifacts", f"this host reads what the workers write, studies: {len(probes)}")


def _move(case: Case, study: str, probe: Probe) -> str:
    """From now on the study's files are here; the old ones stay where they are."""
    store = case.artifacts.store
    claim_artifacts(case.ledger, study, store, instead=probe)
    return f"files of study {study!r} are kept in {masked(store.url)} from now on"
