"""`make chaos`: random faults on real workers and a real PostgreSQL, and the account of what they cost.

Deterministic in its choices (`--seed`), not in its timing: what is struck at which moment depends on the machine. What
comes out must not.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from chaos.arena import LEASE, Account, Arena, Database, Record, differences
from chaos.victim import POINTS, Fault
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import make_url

from amnl_tune.cli.options import quiet_libraries
from amnl_tune.database.engine import Ledger
from amnl_tune.studies.spec import StudySpec

WORKERS = 3
TRIALS = 8
SURROUNDINGS = (
    "SIGSTOP past the lease",
    "SIGTERM",
    "truncated checkpoint",
    "database crashed",
    "database away",
    "machine taken away",
)
EPOCH_POINTS = {
    "mid-ask": 6,
    "mid-epoch": 60,
    "before report": 6,
    "after report": 6,
    "mid-checkpoint": 3,
    "after checkpoint": 3,
}
"""How often a point is passed in a worker's life, about: the moment is drawn from it."""


@dataclass
class Campaign:
    """Rounds of one study each, until `faults` have struck."""

    arena: Arena
    faults: int
    rng: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    accounts: list[Account] = field(default_factory=list)

    def run(self, progress: Progress) -> None:
        """Strikes, and settles every round's account."""
        bar = progress.add_task("faults", total=self.faults)
        spec = self.arena.spec()
        spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"trials": TRIALS})})
        undisturbed = self.arena.undisturbed(spec)
        while self.struck.total() < self.faults:
            url = self.arena.database.new()
            self.arena.open(url, spec).close()
            while self.struck.total() < self.faults and not self._over(url, spec):
                self._strike(url)
                progress.update(bar, completed=self.struck.total())
            self.arena.finish(url, workers=2)
            ledger = Ledger(url)
            record = Record.of(ledger, spec.name)
            self.accounts.append(Account.of(record, undisturbed, TRIALS))
            ledger.close()
            progress.console.print(f"round {len(self.accounts)}: {self.accounts[-1]}", highlight=False)
            for difference in differences(record, undisturbed):
                progress.console.print(difference, highlight=False)

    def _over(self, url: str, spec: StudySpec) -> bool:
        ledger = Ledger(url)
        runs = Record.of(ledger, spec.name).runs.values()
        ledger.close()
        return sum(status == "complete" for status, *_ in runs) >= TRIALS - 1

    def _strike(self, url: str) -> None:
        """A few workers, each with a moment to die at; and now and then their surroundings."""
        armed = [self._armed() for _ in range(WORKERS)]
        workers = [self.arena.start(url, fault=fault) for fault in armed]
        if self.rng.random() < 0.5:
            time.sleep(self.rng.uniform(0.2, 1.5))
            self._disturb(self.rng.choice(SURROUNDINGS), workers)
        for fault, worker in zip(armed, workers, strict=True):
            code = self.arena.ended(worker)
            if code is None:
                raise RuntimeError(f"a worker with {fault} hangs; {self.arena.log()}")
            if code == -signal.SIGKILL:
                self.struck[f"kill -9 {fault.point}"] += 1

    def _armed(self) -> Fault:
        point = self.rng.choice(list(POINTS))
        return Fault(point, self.rng.randint(1, EPOCH_POINTS.get(point, 2)))

    def _disturb(self, what: str, workers: list[BaseProcess]) -> None:
        database = self.arena.database
        match what:
            case "database crashed":
                database.crash()
                database.start()
            case "database away":
                database.crash()
                time.sleep(self.rng.uniform(1.0, 4.0))
                database.start()
            case "machine taken away":
                if not self._take_away(workers):
                    return
            case "truncated checkpoint":
                if not self._truncate(workers):
                    return
            case _:
                alive = [worker for worker in workers if worker.is_alive() and worker.pid]
                if not alive or not self._signal(what, self.rng.choice(alive).pid or 0):
                    return
        self.struck[what] += 1

    def _signal(self, what: str, pid: int) -> bool:
        """Whether the worker was there until the end: its own fault may strike first."""
        try:
            if what == "SIGTERM":
                os.kill(pid, signal.SIGTERM)
            else:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(LEASE * 1.5)
                os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return False
        return True

    def _take_away(self, workers: list[BaseProcess]) -> bool:
        """Kills all workers after one to three seconds; whether there was one left."""
        time.sleep(self.rng.uniform(0.5, 1.5))
        alive = [worker for worker in workers if worker.is_alive()]
        for worker in alive:
            worker.kill()
        return bool(alive)

    def _truncate(self, workers: list[BaseProcess]) -> bool:
        """Kills all workers and cuts a checkpoint short, as a disk might; whether there was one."""
        for worker in workers:
            if worker.is_alive():
                worker.kill()
            worker.join()
        found = sorted((self.arena.home / "artifacts").rglob("checkpoint-*.pt"))
        if not found:
            return False
        path = self.rng.choice(found)
        path.write_bytes(path.read_bytes()[: self.rng.randint(0, 2000)])
        return True


def main() -> int:
    """Prints the table; 1 if anything was lost, duplicated, over budget or different."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="of the choices (default: 1)")
    options = parser.parse_args()
    quiet_libraries()
    console = Console()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="amnl-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server has a user of its own where this runs as root
        database = Database(folder)
        text = (Path(__file__).parent / "chaos.toml").read_text()
        arena = Arena(folder / "arena", text, database)
        campaign = Campaign(arena, options.faults, random.Random(options.seed))
        try:
            with Progress(console=console) as progress:
                campaign.run(progress)
            server = make_url(database.url).get_backend_name()
        finally:
            arena.close()
            database.close()
    console.print(_table(campaign))
    clean = all(account.clean for account in campaign.accounts)
    took = time.monotonic() - started
    console.print(
        f"{len(campaign.accounts)} studies on {server} with {WORKERS} workers at a time, {took:.0f} s: "
        f"{'nothing lost' if clean else 'SOMETHING WENT WRONG'}",
        highlight=False,
    )
    return 0 if clean else 1


def _table(campaign: Campaign) -> Table:
    table = Table(title=f"{campaign.struck.total()} faults")
    for column in ("fault", "times"):
        table.add_column(column, justify="right" if column == "times" else "left")
    for what, times in sorted(campaign.struck.items()):
        table.add_row(what, str(times))
    table.add_section()
    totals = campaign.accounts
    for what, count in (
        ("trials", sum(account.trials for account in totals)),
        ("lost", sum(account.lost for account in totals)),
        ("duplicated", sum(account.duplicated for account in totals)),
        ("budget error", sum(account.budget_error for account in totals)),
        ("curves with a gap", sum(account.gaps for account in totals)),
        ("different from the undisturbed run", sum(account.different for account in totals)),
    ):
        table.add_row(what, str(count))
    return table


if __name__ == "__main__":
    sys.exit(main())
