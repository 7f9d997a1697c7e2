"""Report + prune decision: our path beside Optuna's storages, all in one run. 1, 8 and 64 worker processes.

    PYTHONPATH=tests python -m benchmarks.storage             # minutes; prints the tables of docs/measurements.md
    PYTHONPATH=tests python -m benchmarks.storage --rounds 1 --workers 1 --workers 8

Every worker has a trial of its own and reports its epochs as fast as it is answered, or once a second. Rounds of all
arms are interleaved; figures are medians over the rounds, of all workers together. Databases are real: SQLite, and the
embedded PostgreSQL with fsync and synchronous commit, as it is configured by default.
"""

import argparse
import os
import platform
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from chaos.arena import Database
from sqlalchemy import func, select

from amnl_tune.database.engine import Ledger
from amnl_tune.database.models import EpochRow
from benchmarks.crowd import EPOCHS, Crowd, Told
from benchmarks.storage_arms import Arm, Ours, grpc, grpc_server, journal, prepare, prepare_journal, rdb

FINISHED = 100
"""Complete trials that every decision compares with."""


@dataclass(frozen=True)
class Round:
    """All workers of one arm: reports a second, and seconds of a report."""

    rate: float
    p50: float
    p99: float


def measured(answers: Sequence[Told], began: float) -> Round:
    """Of all workers of a round."""
    latencies = sorted(seconds for told in answers for seconds in told.latencies)
    took = max(told.ended for told in answers) - began
    return Round(len(latencies) / took, statistics.median(latencies), latencies[int(0.99 * (len(latencies) - 1))])


def missing(storage: str, answers: Sequence[Told]) -> int:
    """Acknowledged reports that the database does not have."""
    ledger = Ledger(storage)
    with ledger.read() as session:
        query = select(EpochRow.run, func.count().label("reports")).group_by(EpochRow.run)
        stored = {row.run: row.reports for row in session.execute(query)}
    ledger.close()
    return sum(max(0, 1 + len(told.latencies) - stored.get(told.run, 0)) for told in answers)


def throughput(database: Database, folder: Path, sizes: Sequence[int], rounds: int) -> None:
    """Prints reports a second and their latencies, arm by arm."""
    postgres, sqlite = database.new(), f"sqlite:///{folder / 'benchmark.db'}"
    log = folder / "journal.log"
    for storage in (postgres, sqlite):
        prepare(storage, trials=FINISHED, epochs=EPOCHS)
    served = folder / "served.log"
    for file in (log, served):
        prepare_journal(file, trials=FINISHED, epochs=EPOCHS)
    crowd, lost = Crowd(), 0
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    with grpc_server(served, port) as proxy:
        arms: dict[str, tuple[Arm, str]] = {
            "amnl-tune, PostgreSQL": (Ours, postgres),
            "Optuna RDBStorage, PostgreSQL": (rdb, postgres),
            "amnl-tune, SQLite": (Ours, sqlite),
            "Optuna RDBStorage, SQLite": (rdb, sqlite),
            "Optuna journal file": (journal, str(log)),
            "Optuna gRPC proxy, journal file": (grpc, proxy),
        }
        found: dict[tuple[str, int], list[Round]] = {}
        for turn in range(rounds):
            for size in sizes:
                for name, (arm, place) in arms.items():
                    print(f"round {turn + 1}, {size} workers: {name}", file=sys.stderr)
                    answers, began = crowd.work(arm, place, size)
                    found.setdefault((name, size), []).append(measured(answers, began))
                    lost += missing(place, answers) if arm is Ours else 0
    print("\n| report + prune decision | workers | a second | p50 ms | p99 ms | amnl-tune is faster |")
    print("|---|---|---|---|---|---|")
    for size in sizes:
        for name in arms:
            ours = "amnl-tune, PostgreSQL" if "PostgreSQL" in name else "amnl-tune, SQLite"
            ratios = [us.rate / them.rate for us, them in zip(found[ours, size], found[name, size], strict=True)]
            ratio = "" if name == ours else f"{statistics.median(ratios):.1f}x"
            print(f"| {name} | {size} | {_row(found[name, size])} | {ratio} |")
    print(f"\nacknowledged reports that are missing: {lost}")


def _row(rounds: Sequence[Round]) -> str:
    rate = statistics.median(r.rate for r in rounds)
    p50, p99 = (statistics.median(getattr(r, name) for r in rounds) * 1e3 for name in ("p50", "p99"))
    return f"{rate:,.0f} | {p50:,.1f} | {p99:,.0f}"


def once_a_second(database: Database, workers: int, seconds: float) -> None:
    """Prints the latencies of workers at the pace of quick epochs."""
    storage = database.new()
    prepare(storage, trials=FINISHED, epochs=EPOCHS)
    answers, began = Crowd().work(Ours, storage, workers, pace=1.0, until=seconds)
    found = measured(answers, began)
    print(
        f"\n{workers} workers, one report a second each, PostgreSQL, {seconds:.0f} s: {found.rate:.0f} reports a "
        f"second, p50 {found.p50 * 1e3:.1f} ms, p99 {found.p99 * 1e3:.1f} ms, missing {missing(storage, answers)}"
    )


def struck_down(database: Database, workers: int) -> None:
    """Prints how many acknowledged reports are missing after the server has lost its power in the middle."""
    storage = database.new()
    prepare(storage, trials=FINISHED, epochs=EPOCHS)

    def strike() -> None:
        time.sleep(1.0)
        database.crash()

    answers, _ = Crowd().work(Ours, storage, workers, strike=strike)
    database.start()
    acknowledged = sum(len(told.latencies) for told in answers)
    print(
        f"\n{workers} workers, PostgreSQL stopped without writing anything out after 1 s: {acknowledged} reports "
        f"acknowledged, missing after its recovery: {missing(storage, answers)}"
    )


def growth(database: Database, folder: Path, sizes: Sequence[int]) -> None:
    """Prints a report's cost by the number of finished trials; one worker."""
    print("\n| one report + decision, median ms | " + " | ".join(f"{size:,} trials" for size in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    kinds: dict[str, Callable[[int], str]] = {
        "PostgreSQL": lambda _: database.new(),
        "SQLite": lambda size: f"sqlite:///{folder / f'growth-{size}.db'}",
    }
    for kind, new in kinds.items():
        places = []
        for size in sizes:
            print(f"{kind} with {size} trials", file=sys.stderr)
            places.append(new(size))
            prepare(places[-1], trials=size, epochs=20)
        for name, arm in {f"amnl-tune, {kind}": Ours, f"Optuna RDBStorage, {kind}": rdb}.items():
            print(f"| {name} | " + " | ".join(f"{cost * 1e3:.1f}" for cost in _costs(arm, places)) + " |")


def _costs(arm: Arm, places: Sequence[str]) -> list[float]:
    """Median seconds of a report on each storage, interleaved."""
    workers = [arm(place) for place in places]
    took: list[list[float]] = [[] for _ in places]
    for trial in range(6):
        for worker, seconds in zip(workers, took, strict=True):
            worker.begin()
            for number in range(1, 21):
                before = time.perf_counter()
                worker.report(number, 17.0 + 10.0 / number)
                if trial:
                    seconds.append(time.perf_counter() - before)
    return [statistics.median(seconds) for seconds in took]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, action="append", help="repeatable; default: 1, 8 and 64")
    parser.add_argument("--trials", type=int, action="append", help="finished ones; default: 100, 1000 and 10000")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the workers that report once a second")
    options = parser.parse_args()
    sizes = options.workers or [1, 8, 64]
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)  # the server runs as another user
    database = Database(folder)
    try:
        address = database.url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("alter system set max_connections = 400")  # Optuna's pools take several each
        database.crash()
        database.start()
        with psycopg.connect(address) as connection:
            settings = [connection.execute(f"show {name}").fetchone() for name in ("server_version", "fsync")]
        print(
            f"{os.cpu_count()} cores, Python {platform.python_version()}, PostgreSQL {settings[0][0]} with fsync "
            f"{settings[1][0]}; {FINISHED} finished trials, MedianPruner"
        )
        throughput(database, folder, sizes, options.rounds)
        once_a_second(database, max(sizes), options.seconds)
        struck_down(database, max(sizes))
        growth(database, folder, options.trials or [100, 1000, 10000])
    finally:
        database.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
