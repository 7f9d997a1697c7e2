"""Whether the workers fit together and fit their hosts: versions, clocks, threads."""

from collections.abc import Iterator

import optuna

from amnl_tune import __version__
from amnl_tune.search.attendance import Attendance
from amnl_tune.search.checks.finding import Case, Finding, Severity
from amnl_tune.search.host import host_name, machine_of, physical_cores

__all__ = ["LARGEST_SKEW", "clocks", "threads", "versions"]

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
