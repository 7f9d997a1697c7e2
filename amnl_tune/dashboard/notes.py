"""What is told beside Optuna's own figures: a study's and its trials' notes in Markdown, and the report's figures."""

import json
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import Row, select

from amnl_tune.artifacts import Artifacts
from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.models import AttemptRow, RunRow, RunStatus, WorkerRow
from amnl_tune.ledger.leases import FINISHED
from amnl_tune.ledger.progress import Use, budget_uses
from amnl_tune.ledger.stored import stored_config
from amnl_tune.ledger.studies import find_study
from amnl_tune.ledger.workers import hosts_of_live_workers
from amnl_tune.masking import masked
from amnl_tune.results import sentences
from amnl_tune.results.facts import summarize
from amnl_tune.results.gallery import pictures
from amnl_tune.results.style import GREY


def plain(value: Any) -> str:
    """The text itself, on one line, whatever signs are in it."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&:@-])", r"\\\1", " ".join(str(value).split()))


def code(value: Any) -> str:
    """As code, on one line."""
    text = " ".join(str(value).split()).replace("`", "'").replace("|", "\\|")
    return f"`{text}`" if text else ""


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value).strip('"')


MARKDOWN = Environment(
    loader=PackageLoader("amnl_tune.dashboard"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
"""Of templates in Markdown, which escape by `plain` and `code`."""

MARKDOWN.filters |= {"plain": plain, "code": code}

FEW = 100
"""Numbers up to which they are named to the database one by one."""


def study_note(ledger: Ledger, study: str, *, optuna_id: int) -> str:
    """The note, Markdown.

    Args:
        ledger: our tables. study: its name. optuna_id: Optuna's number of the study, for links.

    Raises:
        StudyError: unknown study. StorageError: the database refuses.
    """
    opened = find_study(ledger, study)
    facts = summarize(opened)
    with ledger.read() as session:
        now = database_time(session)
        uses = budget_uses(session, [opened.row], now)[study]
        hosts = hosts_of_live_workers(session, now).get(study, [])
    counts = [f"{count} {name}" for name, count in facts["trials"].items() if name != "budget" and count]
    alive = f"{len(hosts)} alive on {', '.join(map(plain, sorted(set(hosts))))}" if hosts else "none alive"
    links = f"[report](/report/{quote(study, safe='')}) · [trials as CSV](/csv/{optuna_id}) · [metrics](/metrics)"
    simulated = " (simulated: says nothing about real engines)" if facts["dataset"].startswith("SIM") else ""
    told = [
        ("Data", f"{plain(facts['dataset'])}{simulated}, SHA-256 {code(facts['data_sha256'][:16])}"),
        ("Trials", ", ".join(counts) or "none yet"),
        ("Budget", "; ".join(_use(use) for use in uses if use.used or use.limit)),
        ("Feasible best", _best(facts)),
        ("LR range test", _range_test(facts)),
        ("Workers", alive),
        ("Promotion", _promotion(facts)),
        ("Study file", code(facts["fingerprint"][:12])),
        ("More", links),
    ]
    if text := sentences.stopped(facts):
        told.insert(1, ("Stopped", plain(text.removeprefix("Stopped. "))))
    if facts["foreign_trials"]:
        told.append(("Foreign trials", plain(sentences.foreign(facts["foreign_trials"]))))
    question = f"**{plain(facts['question'])}**\n\n" if facts["question"] else ""
    rows = "".join(f"\n| **{name}** | {text} |" for name, text in told)
    return f"{question}{plain(sentences.answer(facts))}\n\n|  |  |\n|---|---|{rows}"


def _use(use: Use) -> str:
    unit, scale, digits = {
        "wall_time": ("hours", 3600.0, 2),
        "accelerator_hours": ("accelerator hours", 1.0, 2),
    }.get(use.resource, (use.resource, 1.0, 0))
    limit = "" if use.limit is None else f" of {use.limit / scale:,.{digits}f}"
    return f"{use.used / scale:,.{digits}f}{limit} {unit}"


def _best(facts: dict[str, Any]) -> str:
    if not facts["best_trials"]:
        return "no trial has completed yet"
    best = facts["best_trials"][0]
    settings = ", ".join(
        f"{plain(name)} {value:.3g}" if isinstance(value, float) else f"{plain(name)} {plain(value)}"
        for name, value in best["parameters"].items()
    )
    return f"trial {best['trial']}: validation RMSE {best['validation_rmse']:.2f} cycles, with {settings}"


def _range_test(facts: dict[str, Any]) -> str:
    test = facts["lr_range_test"]
    if test is None:
        return "none"
    rule = sentences.range_test_rule(test["rule"], test["suggested"].get(test["rule"]), test["used"])
    used = f"{test['used']:.2g} by {plain(rule)}" if test["used"] else "no suggestion"
    prior = f"; searched from {test['prior'][0]:.2g} to {test['prior'][1]:.2g}" if test["prior"] else ""
    return f"{used}{prior}; figure on the history tab"


def _promotion(facts: dict[str, Any]) -> str:
    promotion = facts["promotion"]
    if promotion is None:
        return "none yet"
    if not promotion["scored"]:
        return f"{promotion['finished']} of {promotion['runs']} full runs finished"
    chosen = promotion["choice"]
    who = f"{chosen['name']}, trial {chosen['trial']}" if chosen["trial"] is not None else chosen["name"]
    seeds = f", {chosen['seeds']} seeds" if chosen["seeds"] else ""
    looks = plain(sentences.looks(promotion, study=facts["study"]))
    return (
        f"chosen by the validation engines: {who}; test RMSE {chosen['test_rmse']:.2f} cycles, NASA score "
        f"{sentences.figure(chosen['nasa_score'], digits=0)}{seeds}; {looks}"
    )


def study_figures(ledger: Ledger, study: str) -> dict[str, go.Figure]:
    """The report's figures by the id that they have on the page; without what there is not."""
    shown = {
        picture.key: picture.figure.update_layout(title=picture.title)
        for picture in pictures(find_study(ledger, study))
    }
    for figure in shown.values():  # on the light and on the dark page, on a screen and on a phone
        figure.update_layout(
            height=None,
            margin={"t": 60, "b": 110},
            legend={"y": -0.25, "yanchor": "top"},
            paper_bgcolor="rgba(0,0,0,0)",
            plot_bgcolor="rgba(0,0,0,0)",
            font_color=GREY,
        )
    return shown


def trial_notes(ledger: Ledger, artifacts: Artifacts, study: str, numbers: Collection[int]) -> dict[int, str]:
    """Notes, Markdown, by trial number; numbers that our tables do not know have none.

    Args:
        ledger: our tables.
        artifacts: where the runs' files are, as far as this machine knows.
        study: its name. numbers: the trials.

    Raises:
        StudyError: unknown study. StorageError: the database refuses.
    """
    if not numbers:
        return {}
    spec = find_study(ledger, study).spec
    runs, attempts = _runs_and_attempts(ledger, study, numbers)
    promoted: defaultdict[int | None, list[tuple[RunRow, str]]] = defaultdict(list)
    for run in runs:
        if not run.is_trial:
            weights = f"{_place(artifacts, attempts[run.id])}/{artifacts.weights(run)}"
            promoted[run.trial_number].append((run, weights if run.status is RunStatus.COMPLETE else ""))
    notes: dict[int, str] = {}
    for run in runs:
        if not run.is_trial or run.trial_number is None:
            continue
        config = stored_config(run) if run.config else None
        values = config.plain() if config else {}
        searched = list(spec.space.active(values)) if config else []
        cleared = run.status in FINISHED and config is not None and config.horizon is None
        notes[run.trial_number] = (
            MARKDOWN.get_template("trial.md")
            .render(
                run=run,
                searched=[(name, _shown(values[name])) for name in searched],
                others=" ".join(f"{name}={_shown(value)}" for name, value in values.items() if name not in searched),
                attempts=attempts[run.id],
                promoted=promoted[run.trial_number],
                checkpoints=None if cleared else f"{_place(artifacts, attempts[run.id])}/{artifacts.folder(run)}",
            )
            .strip()
        )
    return notes


Attempt = Row[AttemptRow, str, str | None]
"""An attempt, the host of its worker, and the artifact location that the worker writes to, where known."""


def _runs_and_attempts(
    ledger: Ledger, study: str, numbers: Collection[int]
) -> tuple[list[RunRow], defaultdict[int, list[Attempt]]]:
    """Of trials and what was promoted of them; attempts by run, in their order."""
    named = RunRow.trial_number.in_(numbers)
    wanted = named if len(numbers) <= FEW else RunRow.trial_number.between(min(numbers), max(numbers))
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    with ledger.read() as session:
        runs = list(session.scalars(select(RunRow).where(RunRow.study == study, wanted).order_by(RunRow.id)))
        query = (
            select(AttemptRow, WorkerRow.host, WorkerRow.artifacts)
            .join(RunRow, RunRow.id == AttemptRow.run)
            .outerjoin(WorkerRow, WorkerRow.id == AttemptRow.worker)
            .where(RunRow.study == study, wanted)
            .order_by(AttemptRow.run, AttemptRow.fence)
        )
        for attempt in session.execute(query):
            attempts[attempt[0].run].append(attempt)
    return runs, attempts


def _place(artifacts: Artifacts, attempts: Sequence[Attempt]) -> str:
    """The artifact location: the last worker's, else the one that this process was given."""
    given = artifacts.url or str(artifacts.home / "artifacts")
    return masked(next((url for _, _, url in reversed(attempts) if url), given)).rstrip("/")
