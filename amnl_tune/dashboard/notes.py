"""What a study's page tells beside Optuna's own figures: a note in Markdown, and the report's figures."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import plotly.graph_objects as go

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.ledger.progress import Use, budget_uses
from amnl_tune.ledger.studies import find_study
from amnl_tune.ledger.workers import hosts_of_live_workers
from amnl_tune.results import sentences
from amnl_tune.results.facts import summarize
from amnl_tune.results.gallery import pictures


def plain(value: Any) -> str:
    """The text itself, on one line, whatever signs are in it."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&:@-])", r"\\\1", " ".join(str(value).split()))


def code(value: Any) -> str:
    """As code, on one line."""
    text = " ".join(str(value).split()).replace("`", "'").replace("|", "\\|")
    return f"`{text}`" if text else ""


def number(value: float | None, digits: int = 2) -> str:
    """Fixed digits; nothing for None."""
    return "" if value is None else f"{value:,.{digits}f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are Markdown already."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


GREY = "#808080"


def study_note(ledger: Ledger, study: str, *, optuna_id: int, prefix: str) -> str:
    """The note, Markdown.

    Args:
        ledger: our tables. study: its name.
        optuna_id: Optuna's number of the study, for links. prefix: of the dashboard's paths.

    Raises:
        StudyError: unknown study. StorageError: the database refuses.
    """
    opened = find_study(ledger, study)
    facts = summarize(opened)
    with ledger.read() as session:
        now = database_time(session)
        uses = budget_uses(session, [opened.row], now)[study]
        hosts = hosts_of_live_workers(session, now).get(study, [])
    name = quote(study, safe="")
    links = [
        f"[report]({prefix}/report/{name})",
        f"[trials as CSV]({prefix}/csv/{optuna_id})",
        f"[metrics]({prefix}/metrics)",
    ]
    simulated = " (simulated: says nothing about real engines)" if facts["dataset"].startswith("SIM") else ""
    told = [
        ("Data", f"{plain(facts['dataset'])}{simulated}, SHA-256 {code(facts['data_sha256'][:16])}"),
        ("Trials", _trials(facts)),
        ("Budget", "; ".join(_use(use) for use in uses if use.used or use.limit)),
        ("Feasible best", _best(facts)),
        ("LR range test", _range_test(facts)),
        ("Workers", _workers(hosts)),
        ("Promotion", _promotion(facts)),
        ("Study file", code(facts["fingerprint"][:12])),
        ("More", " · ".join(links)),
    ]
    if text := sentences.stopped(facts):
        told.insert(1, ("Stopped", plain(text.removeprefix("Stopped. "))))
    if facts["foreign_trials"]:
        told.append(("Foreign trials", plain(sentences.foreign(facts["foreign_trials"]))))
    question = f"**{plain(facts['question'])}**\n\n" if facts["question"] else ""
    rows = [(f"**{name}**", text) for name, text in told]
    return f"{question}{plain(sentences.answer(facts))}\n\n{table(('', ''), rows)}"


def _trials(facts: dict[str, Any]) -> str:
    counts = {name: count for name, count in facts["trials"].items() if name != "budget" and count}
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none yet"


def _use(use: Use) -> str:
    unit, scale, digits = {
        "wall_time": ("hours", 3600.0, 2),
        "accelerator_hours": ("accelerator hours", 1.0, 2),
    }.get(use.resource, (use.resource, 1.0, 0))
    limit = "" if use.limit is None else f" of {number(use.limit / scale, digits)}"
    return f"{number(use.used / scale, digits)}{limit} {unit}"


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


def _workers(hosts: list[str]) -> str:
    return f"{len(hosts)} alive on {', '.join(map(plain, sorted(set(hosts))))}" if hosts else "none alive"


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
