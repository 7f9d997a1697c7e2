"""How good `amnl-tune plan` is: plans a study, runs it, and prints predicted against spent.

    python benchmarks/plan.py                          # the quickstart, minutes
    python benchmarks/plan.py --study my.toml --json plan.json

The goal: wall time and accelerator hours of the quickstart within 25% of the prediction, on the machine that calibrated
it and with nothing else to do.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

GOAL = 0.25
QUICKSTART = Path(__file__).parents[1] / "studies" / "quickstart.toml"


def main() -> None:
    """Plans, runs, compares; in a home folder of its own, so that nothing is known from before."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        common = (str(arguments.study.absolute()), "--home", folder, "--storage", f"sqlite:///{home / 'amnl_tune.db'}")
        _amnl_tune("plan", *common)
        _amnl_tune("run", *common, "--out", str(home / "export"))
        _amnl_tune("plan", *common, "--actual")
        facts = json.loads(_amnl_tune("plan", *common, "--actual", "--json", quiet=True))
    facts["within_goal"] = _verdict(facts["quantities"])
    if arguments.json:
        arguments.json.write_text(json.dumps(facts, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--study", type=Path, default=QUICKSTART, help="study file")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def _amnl_tune(*words: str, quiet: bool = False) -> str:
    """Runs a command, its output shown; gives its output where `quiet`."""
    done = subprocess.run(
        [sys.executable, "-m", "amnl_tune", *words],
        check=True,
        stdout=subprocess.PIPE if quiet else None,
        text=True,
        env=os.environ | {"COLUMNS": "120"},
    )
    return done.stdout or ""


def _verdict(quantities: list[dict[str, Any]]) -> dict[str, bool]:
    """Which of the goal's quantities came within 25%."""
    wanted = [row for row in quantities if row["quantity"] in {"wall time", "accelerator hours"}]
    within = {row["quantity"]: abs(row["ratio"] - 1) <= GOAL for row in wanted}
    for row in wanted:
        verdict = "within" if within[row["quantity"]] else "outside"
        print(f"{row['quantity']}: spent / predicted = {row['ratio']:.2f}, {verdict} {GOAL:.0%}")
    return within


if __name__ == "__main__":
    main()
