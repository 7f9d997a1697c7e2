"""What a refactoring must not change, recorded: curves, values, parameters, range tests, verdicts, JSON, exports.

Records three small studies with the package that Python finds, then compares two records:

    PYTHONPATH=../before python -m benchmarks.recording record before
    python -m benchmarks.recording record after
    python -m benchmarks.recording compare before after

The studies are searched on SIM1 (one worker, pruning, gradient boosting), on SIM6 (two workers) and on FD001 (killed in
the middle of a trial, then again), promoted, scored and exported by the commands that users type.
Both records must come from one machine and one PyTorch: other kernels round otherwise.
"""

import argparse
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

__all__: list[str] = []

STUDY = """
question = "Is it the same?"
seed = 7
[data]
dataset = "{dataset}"
validation_truncations = 4
[budget]
trials = {trials}
[trial]
epochs = 4
checkpoint_every = 1
[sampler]
name = "RandomSampler"
[pruner]
{pruner}
[lr_range_test]
num_iter = 60
[fixed]
conv_channels = [8, 8]
num_heads = 2
fc_sizes = [8, 4]
window = 20
stride = 12
{fixed}
[incumbent]
hidden_size = 4
batch_size = 32
[space.learning_rate]
type = "float"
low = 1e-4
high = 1e-1
log = true
[space.batch_size]
type = "categorical"
choices = [16, 32]
[space.hidden_size]
type = "categorical"
choices = [4, 8]
[space.loss]
type = "categorical"
choices = ["normalized_batch", "normalized_ema", "fixed", "rul_only"]
[promotion]
top_k = 2
seeds = [1, 2]
epochs = 5
[hardware]
workers = {workers}
threads_per_worker = 1
device = "cpu"
precision = "fp32"
"""
HALVING = 'name = "SuccessiveHalvingPruner"\nmin_resource = 1\nreduction_factor = 2'
HISTORY = "age = true\ndeviation = 20\newma = [0.1, 0.03]\npad_short = true\ndrop_settings = true"
STUDIES = {
    "sim1": STUDY.format(dataset="SIM1", trials=8, pruner=HALVING, fixed=HISTORY, workers=1),
    "sim6": STUDY.format(dataset="SIM6", trials=4, pruner='name = "NopPruner"', fixed='schedule = "cosine"', workers=2),
    "fd001": STUDY.format(dataset="FD001", trials=3, pruner='name = "NopPruner"', fixed="", workers=1),
}
KILLED = "fd001"
"""The study whose first worker is killed in the middle of a trial."""

TABLES = {
    "runs": """select study, promotion, slot, origin, trial_number, bracket, seed, config, status, epochs, epochs_done,
        value, reason, result from amnl_runs order by study, promotion, slot""",
    "epochs": """select r.study, r.promotion, r.slot, e.number, e.bracket, e.bin, e.reported, e.pruned,
        e.train_rul_loss, e.train_health_loss, e.learning_rate, e.validation_rmse, e.best_validation_rmse, e.samples
        from amnl_epochs e join amnl_runs r on r.id = e.run order by r.study, r.promotion, r.slot, e.number""",
    "tallies": "select * from amnl_tallies order by 1, 2, 3, 4",
    "studies": """select name, spec, fingerprint, dataset, data_sha256, range_test_key, suggested_lr, prior_low,
        prior_high, warm_start from amnl_studies""",
    "range_tests": """select key, dataset, data_sha256, config, options, curve, suggestions
        from amnl_range_tests order by key""",
    "promotions": """select study, number, fingerprint, contaminated_by, test_selection
        from amnl_promotions order by 1, 2""",
    "scores": "select look, forced, data_sha256, scores from amnl_test_scores order by id",
    "trials": "select number, state from trials order by number",
    "parameters": """select number, param_name, param_value, distribution_json
        from trial_params join trials using (trial_id) order by 1, 2""",
    "values": "select number, value from trial_values join trials using (trial_id) order by 1",
    "intermediate": """select number, step, intermediate_value
        from trial_intermediate_values join trials using (trial_id) order by 1, 2""",
}
COMMANDS = {
    "show.json": ["study", "show", "{study}", "--json"],
    "show.txt": ["study", "show", "{study}"],
    "list.json": ["study", "list", "--json"],
    **{
        f"{table}.json": ["study", "trials", "{study}", "--json", "--table", table]
        for table in ("trials", "epochs", "promoted", "promoted-epochs", "attempts")
    },
    "doctor.json": ["doctor", "{study}", "--json"],
    "verify.txt": ["verify", "export"],
}
VOLATILE = re.compile(
    r"(seconds|_at$|started|finished|duration|datetime|time$|host|pid|worker|owner|user|path|folder|git|looks_at|wall|"
    r"elapsed|epoch_s|created|invocation|argv|tampered|sha256$|builder|invocationId|location|storage|where|file$|url)",
    re.IGNORECASE,
)
"""Names of values that differ between two runs of the same code."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    recording = commands.add_parser("record")
    recording.add_argument("folder", type=Path)
    recording.add_argument("--data", type=Path, default=os.environ.get("AMNL_TUNE_DATA"), help="of FD001")
    recording.set_defaults(work=lambda asked: record(asked.folder.absolute(), asked.data))
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.set_defaults(work=lambda asked: sys.exit(compare(asked.before, asked.after)))
    asked = parser.parse_args()
    asked.work(asked)


def record(folder: Path, data: Path | None) -> None:
    """Studies, databases, outputs and what is compared of them, in a folder a study."""
    for study, text in STUDIES.items():
        home = folder / study
        home.mkdir(parents=True)
        (home / f"{study}.toml").write_text(text)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AMNL_TUNE_")}
        environment |= {"AMNL_TUNE_HOME": str(home)} | ({"AMNL_TUNE_DATA": str(data)} if data else {})
        call = [sys.executable, "-m", "amnl_tune"]
        line = [*call, "run", f"{study}.toml", "--no-tensorboard", "--out", "export"]
        if study == KILLED:
            _killed_once(line, home, environment)
        subprocess.run(line, cwd=home, env=environment, check=True, stdout=subprocess.DEVNULL)
        facts = {name: _rows(home / "amnl_tune.db", query) for name, query in TABLES.items()}
        (home / "tables.json").write_text(json.dumps(facts, indent=1))
        for name, arguments in COMMANDS.items():
            told = subprocess.run(
                [*call, *(word.format(study=study) for word in arguments)],
                cwd=home, env=environment, check=True, capture_output=True, text=True,
            )  # fmt: skip
            (home / name).write_text(told.stdout)
        again = subprocess.run([*line, "--json"], cwd=home, env=environment, check=True, capture_output=True, text=True)
        (home / "again.json").write_text(again.stdout)
        print(f"{study}: recorded")


def _killed_once(line: list[str], home: Path, environment: dict[str, str]) -> None:
    """The command and its worker are killed between two epochs of a trial."""
    under_way = "select 1 from amnl_runs where status = 'running' and epochs_done between 1 and 3"
    quiet = subprocess.DEVNULL
    with subprocess.Popen(line, cwd=home, env=environment, stdout=quiet, start_new_session=True) as process:
        while process.poll() is None and not _rows(home / "amnl_tune.db", under_way):
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)


def _rows(database: Path, query: str) -> list[list[Any]]:
    connection = sqlite3.connect(database, timeout=60)
    try:
        return [list(row) for row in connection.execute(query)]
    except sqlite3.OperationalError:  # no tables yet
        return []
    finally:
        connection.close()


def compare(before: Path, after: Path) -> int:
    """Prints what differs; how many things do."""
    differing = 0
    for study in STUDIES:
        for name in ("tables.json", *COMMANDS, "again.json"):
            one, two = (_plain(folder / study / name) for folder in (before, after))
            differing += _told(f"{study}/{name}", one, two)
        one, two = (_export(folder / study / "export") for folder in (before, after))
        differing += _told(f"{study}/export", one, two)
        one, two = (_words(folder / study / "reports" / f"{study}.html") for folder in (before, after))
        differing += _told(f"{study}/report", one, two)
    print(f"{differing} differences")
    return min(differing, 1)


def _told(what: str, one: Any, two: Any) -> int:
    """Prints each difference within two nested values; their number."""
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        return sum(_told(f"{what}.{key}", one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        return sum(_told(f"{what}[{place}]", *pair) for place, pair in enumerate(zip(one, two, strict=True)))
    if repr(one) == repr(two):  # NaN is NaN here
        return 0
    print(f"{what}:\n  {str(one)[:300]}\n  {str(two)[:300]}")
    return 1


def _plain(file: Path) -> Any:
    text = file.read_text()
    return _steady(json.loads(text)) if file.suffix == ".json" else [_without_times(line) for line in text.splitlines()]


def _steady(value: Any) -> Any:
    """Without what differs between two runs of the same code."""
    if isinstance(value, dict):
        return {key: _steady(inner) for key, inner in value.items() if not VOLATILE.search(key)}
    if isinstance(value, list):
        return [_steady(inner) for inner in value]
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return _steady(json.loads(value))
        except ValueError:
            return value
    return _without_times(value) if isinstance(value, str) else value


def _without_times(text: str) -> str:
    """A sentence without its clock times, dates, durations, sizes of disks, folders, and the blanks that these move."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"[\d.]+ of [\d.]+ GB", "SPACE", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(\+00:00|Z)?( UTC)?", "DATE", text)
    text = re.sub(r"\b\d+:\d\d(:\d\d)?\b|\b[\d.]+ ?(s|ms|min|h|seconds|minutes|CPU s)\b|\b\d+\.?\d* %", "TIME", text)
    return re.sub(r"(/[\w.-]+){2,}", "PLACE", text)


def _export(folder: Path) -> dict[str, Any]:
    """Hashes of weights, words of the rest."""
    found: dict[str, Any] = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.suffix in {".safetensors", ".onnx", ".csv", ".parquet"}:
            found[name] = sha256(file.read_bytes()).hexdigest()
        elif file.suffix == ".json":
            found[name] = _plain(file)
        elif file.suffix in {".md", ".toml"}:
            found[name] = [_without_times(line) for line in file.read_text().splitlines() if not VOLATILE.search(line)]
        elif file.is_file():
            found[name] = "there"
    return found


HOURS = {"wall time (h)", "accelerator hours"}


class _Text(HTMLParser):
    """Words of a page, without its scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._within = tag

    def handle_data(self, data: str) -> None:
        if self._within not in {"script", "style"} and data.strip():
            self.words.append(_without_times(data.strip()))


def _words(page: Path) -> list[str]:
    parser = _Text()
    parser.feed(page.read_text())
    before = ["", *parser.words]  # what was spent in hours stands behind its name
    return [word for name, word in zip(before, parser.words, strict=False) if name not in HOURS]


if __name__ == "__main__":
    main()
