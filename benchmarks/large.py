"""What people wait for when a study is large: tables, report, listings, the dashboard's pages, of 10,000 trials.

    python -m benchmarks.large                                    # minutes; prints a table
    python -m benchmarks.large --trials 1000 --only "report" --keep /tmp/large

Commands are processes of their own, from their start to their last byte. With `--keep`, the storage stays for the next
time, and so does all that the commands said, to be held against another version's.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from werkzeug.test import create_environ
from werkzeug.wrappers import Request, Response

from amnl_tune.artifacts import Artifacts
from amnl_tune.dashboard.optuna_app import Annotations
from amnl_tune.dashboard.pages import OurPages
from amnl_tune.database.engine import Ledger
from amnl_tune.database.optuna_storage import borrowed_storage
from amnl_tune.database.schema import upgrade
from amnl_tune.ledger.studies import Prior, find_study, freeze, settle_prior
from amnl_tune.search.trials import create_optuna_study
from amnl_tune.studies.study_file import load_study_spec
from benchmarks.filled import fill

STUDY = Path(__file__).parents[1] / "studies" / "fd001.toml"
EPOCHS = 20
COMMANDS = {
    "study list": ("study", "list", "--json"),
    "study show": ("study", "show", "fd001", "--json"),
    "study trials": ("study", "trials", "fd001"),
    "study trials --table epochs": ("study", "trials", "fd001", "--table", "epochs"),
    "study trials --table epochs --json": ("study", "trials", "fd001", "--table", "epochs", "--json"),
    "study trials --table attempts": ("study", "trials", "fd001", "--table", "attempts"),
    "doctor": ("doctor", "--json"),
    "report": ("report", "fd001", "--out", "report.html"),
}
PAGES = {"dashboard: study": "/api/studies/1", "dashboard: metrics": "/metrics", "dashboard: report": "/report/fd001"}


def prepared(home: Path, trials: int) -> str:
    """URL of a storage with one large study."""
    storage = f"sqlite:///{home / 'amnl_tune.db'}"
    if (home / "amnl_tune.db").exists():
        return storage
    upgrade(storage)
    ledger, spec = Ledger(storage), load_study_spec(STUDY)
    freeze(ledger, spec, "0" * 64)
    settle_prior(find_study(ledger, spec.name), Prior(), None)
    with borrowed_storage(ledger) as optuna_storage:
        create_optuna_study(optuna_storage, spec, new=True)
    ledger.close()
    fill(storage, spec.name, trials=trials, epochs=EPOCHS, spec=spec)
    return storage


def commands(home: Path, storage: str) -> Iterator[tuple[str, float, float]]:
    """Name, wall and CPU seconds of each command; what it said is beside the database."""
    environment = os.environ | {"AMNL_TUNE_STORAGE": storage, "AMNL_TUNE_HOME": str(home)}
    for name, words in COMMANDS.items():
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        with (home / f"{name.replace(' ', '_')}.out").open("wb") as out:
            # doctor ends with 1 where it finds an error
            subprocess.run(
                [sys.executable, "-m", "amnl_tune", *words], cwd=home, env=environment, stdout=out, check=False
            )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        yield name, time.monotonic() - began, spent


def pages(home: Path, storage: str) -> Iterator[tuple[str, float, float]]:
    """The same of what the dashboard itself adds to a page, asked for the first time."""
    ledger = Ledger(storage)
    annotations, ours = Annotations(ledger, Artifacts(home)), OurPages(ledger)
    for name, path in PAGES.items():
        began, before = time.monotonic(), time.process_time()
        answer = ours.answer(Request(create_environ(path)))
        if answer is None:
            # Optuna's answer without its trials: how long that takes is not ours to mend.
            lists = ("trials", "best_trials", "union_user_attrs", "plotly_graph_objects")
            page = {"name": "fd001", "note": {"body": "", "version": 0}} | {name: [] for name in lists}
            annotations.add(page, 1)
            answer = Response(json.dumps(page))
        body = answer.get_data()
        yield name, time.monotonic() - began, time.process_time() - before
        (home / f"{name.replace(' ', '_')}.out").write_bytes(body)
    ledger.close()


def main() -> None:
    """Fills, asks, prints."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--keep", type=Path, help="folder of the storage and of all answers")
    arguments = parser.parse_args()
    for table in (COMMANDS, PAGES):
        for name in [name for name in table if arguments.only not in name]:
            del table[name]
    with tempfile.TemporaryDirectory() as folder:
        home = (arguments.keep or Path(folder)).absolute()
        home.mkdir(parents=True, exist_ok=True)
        storage = prepared(home, arguments.trials)
        print(f"| of {arguments.trials:,} trials of {EPOCHS} epochs | seconds | CPU seconds |\n|---|---|---|")
        for rows in (commands(home, storage), pages(home, storage)):
            for name, seconds, spent in rows:
                print(f"| `{name}` | {seconds:.1f} | {spent:.1f} |", flush=True)


if __name__ == "__main__":
    main()
