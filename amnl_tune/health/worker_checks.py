"""Whether the workers fit together and fit their hosts, and whether this host reads what they write."""

from collections.abc import Iterator
from functools import partial

import optuna
from sqlalchemy import select

from amnl_tune.database.models import StudyRow
from amnl_tune.health.finding import Case, Finding, Severity
from amnl_tune.host import host_name, machine_of, physical_cores
from amnl_tune.ledger.artifact_probe import Probe, claim_artifacts, is_readable, recorded_probes
from amnl_tune.ledger.workers import Attendance
from amnl_tune.masking import masked
from amnl_tune.version import __version__

LARGEST_SKEW = 2.0
"""Seconds. Leases go by the database's clock alone; Optuna's times and everybody's logs do not."""


def versions(case: Case) -> Iterator[Finding]:
    """One amnl-tune, one Optuna, one torch, over all live workers; Optuna also as it is here."""
    workers = case.of_study(case.alive)
    majors = {version.split(".")[0] for version in _known(workers, "optuna_version")}
    if majors - {optuna.__version__.split(".")[0]}:
        yield Finding(
            Severity.ERROR,
            "versions",
            f"Optuna must be of one major version everywhere, but it is {optuna.__version__} here and "
            f"{_spread(workers, 'optuna_version')}",
            "stop the other workers and install one version: 4.x and 5.x write different times into one database",
        )
    mixed = False
    for name, column, why in (
        ("amnl-tune", "version", "they may follow different rules"),
        ("Optuna", "optuna_version", "its samplers may differ"),
        ("torch", "torch_version", "a trial that changes workers is then not the same to the bit"),
    ):
        if len(_known(workers, column)) > 1:
            mixed = True
            yield Finding(
                Severity.WARNING,
                "versions",
                f"workers have different versions of {name}: {_spread(workers, column)}; {why}",
                "install one version everywhere; workers that are asked to leave hand their trials over",
            )
    older = _known(workers, "version") - {__version__}
    if older and not mixed:
        yield Finding(
            Severity.WARNING,
            "versions",
            f"workers have amnl-tune {', '.join(sorted(older))}, but this is {__version__}",
            "install one version everywhere",
        )
    elif not mixed and len(majors) <= 1:
        yield Finding(Severity.OK, "versions", "workers have one version of amnl-tune, Optuna and torch")


def _known(workers: tuple[Attendance, ...], column: str) -> set[str]:
    return {str(getattr(worker, column)) for worker in workers} - {"None"}


def _spread(workers: tuple[Attendance, ...], column: str) -> str:
    """`5.0.0 on a, b; 4.6.0 on c`."""
    hosts: dict[str, set[str]] = {}
    for worker in workers:
        if getattr(worker, column) is not None:
            hosts.setdefault(str(getattr(worker, column)), set()).add(machine_of(worker.host))
    return "; ".join(f"{version} on {', '.join(sorted(where))}" for version, where in sorted(hosts.items()))


def clocks(case: Case) -> Iterator[Finding]:
    """This host's clock, and those of live workers when they started, against the database's."""
    skews = {f"worker {one.id} on {one.host.split('/')[0]}": one.clock_skew for one in case.of_study(case.alive)}
    skews["this host"] = case.skew
    wrong = {who: skew for who, skew in skews.items() if skew is not None and abs(skew) > LARGEST_SKEW}
    for who, skew in wrong.items():
        yield Finding(
            Severity.WARNING,
            "clocks",
            f"clocks must agree with the database's within {LARGEST_SKEW:g} s, but {who} is {abs(skew):.1f} s "
            f"{'ahead' if skew > 0 else 'behind'}",
            "switch time synchronisation on there (NTP); leases are safe, Optuna's times and the logs are not",
        )
    if not wrong:
        yield Finding(Severity.OK, "clocks", f"clocks agree with the database's within {LARGEST_SKEW:g} s")


def threads(case: Case) -> Iterator[Finding]:
    """On this host, over all studies: more threads than cores make every worker slower."""
    here = [worker for worker in case.alive if worker.host == host_name()]
    wanted, cores = sum(worker.threads for worker in here), physical_cores()
    if wanted > cores:
        yield Finding(
            Severity.WARNING,
            "threads",
            f"workers' threads must fit this host's {cores} cores, but {len(here)} workers have {wanted}",
            f"stop some, or start them with --threads {max(1, cores // len(here))}",
        )
    else:
        yield Finding(Severity.OK, "threads", f"{wanted} threads of workers on {cores} cores here")


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
