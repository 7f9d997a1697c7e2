"""The report's tables, from a study's facts and frames, as HTML."""

import html
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import optuna
import pandas as pd

from amnl_tune import __version__
from amnl_tune.results import sentences
from amnl_tune.results.budgets import Use
from amnl_tune.results.frames import RUN_COLUMNS
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.urls import shown_url
from amnl_tune.search.spec import StudySpec

__all__ = ["below", "budget", "leaderboard", "provenance", "scored", "table"]

MOST_ROWS = 500
UNITS = {"wall_time": ("wall time (h)", 3600.0), "accelerator_hours": ("accelerator hours", 1.0)}


def scored(facts: dict[str, Any]) -> str:
    """Every scored candidate with its intervals and against the choice; and the proxy check."""
    promotion = facts["promotion"]
    if not promotion or not promotion["scored"]:
        return ""
    header = ("", "validation RMSE (cycles)", "test RMSE (cycles)", "against the choice (cycles)", "NASA score",
              "seeds", "fit time", "predict time (all test engines)")  # fmt: skip
    cells = [
        (_name(row), _number(row["validation_rmse"]), below(sentences.interval(row, "test_rmse", 2)), _against(row),
         below(sentences.interval(row, "nasa_score", 0)), row["seeds"] or "",
         _unbroken(sentences.duration(row["fit_seconds"])), _unbroken(sentences.duration(row["predict_seconds"])))
        for row in promotion["leaderboard"]
    ]  # fmt: skip
    looks = sentences.looks(promotion, study=facts["study"])
    said = [*sentences.notes(promotion), sentences.proxy(promotion.get("proxy_check"))]
    told = "".join(f"<p>{html.escape(text)}</p>" for text in said if text)
    return f"<h2>{html.escape(f'Promoted candidates, {looks}')}</h2>{table(header, cells, folding=True)}{told}"


def _name(row: dict[str, Any]) -> str:
    return row["name"] if row["trial"] is None else f"{row['name']}\n(trial {row['trial']})"


def _unbroken(text: str) -> str:
    return text.replace(" ", "\u00a0")


def _against(row: dict[str, Any]) -> str:
    if row["chosen"]:
        return "chosen by the validation engines"
    if not row["against_choice"]:
        return ""
    words: str = row["against_choice"]["words"]
    difference, bracket, doubt = words.partition("]")
    return below(difference + bracket) + doubt.replace(", ", "\n", 1)


def leaderboard(trials: pd.DataFrame) -> str:
    """All trials, best first, to be sorted by any column. From `frames.trials_frame`."""
    known = trials.dropna(subset=["value"]).sort_values(["value", "slot"])
    if known.empty:
        return ""
    settings = [name for name in trials.columns if name not in RUN_COLUMNS]
    header = ("trial", "validation RMSE (cycles)", "state", "epochs", "from", *settings)
    cells = [
        (int(row["trial"]), _number(row["value"]), row["status"], row["epochs_done"], row["origin"],
         *(_short(row[name]) for name in settings))
        for row in known.head(MOST_ROWS).to_dict("records")
    ]  # fmt: skip
    more = (
        f"<p>The best {MOST_ROWS} of {len(known)}; all: amnl-tune study trials.</p>" if len(known) > MOST_ROWS else ""
    )
    return f"<h2>Leaderboard</h2>{table(header, cells, sortable=True)}{more}"


def budget(uses: Iterable[Use]) -> str:
    """What was spent, of what was planned."""
    cells = []
    for use in uses:
        name, scale = UNITS.get(use.resource, (use.resource, 1.0))
        spent, limit = use.used / scale, None if use.limit is None else use.limit / scale
        share = f"{spent / limit:.0%}" if limit else ""
        cells.append((name, f"{spent:.4g}", "no limit" if limit is None else f"{limit:.4g}", share))
    return f"<h2>Cost against plan</h2>{table(('of the search', 'spent', 'planned', ''), cells)}"


def provenance(ledger: Ledger, facts: dict[str, Any], spec: StudySpec) -> str:
    """Where everything comes from."""
    trials, full, promotion = facts["trials"], spec.promotion, facts["promotion"] or {}
    told = {
        "Data set": f"{facts['dataset']}, SHA-256 {facts['data_sha256']}",
        "Study file": f"fingerprint {facts['fingerprint']}",
        "Search": f"{spec.trial.epochs} epochs a trial, {spec.sampler.name}, {spec.pruner.name}, seed {spec.seed}",
        "Promotion": f"at most {full.epochs} epochs, seeds {', '.join(map(str, full.seeds))} (the study file's)",
        "Trials": f"{trials['complete']} complete, {trials['pruned']} pruned, {trials['fail']} failed of "
        f"{trials['budget']}; {facts['epochs']} epochs",
        "Storage": shown_url(ledger.url),
        "Report": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, amnl-tune {__version__}, Optuna {optuna.__version__}",
    }
    if promotion.get("scored"):
        at = datetime.fromtimestamp(promotion["scored_at"], UTC)
        told["Test engines"] = (
            f"scored {at:%Y-%m-%d %H:%M} UTC by {promotion['scored_by']}, SHA-256 {promotion['test_data_sha256']}"
        )
    if facts["foreign_trials"]:
        told["Foreign trials"] = sentences.foreign(facts["foreign_trials"])
    told |= {f"Trial {failure['trial']}": f"failed: {failure['reason']}" for failure in facts["failures"]}
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in told.items())
    return f"<h2>How it was made</h2><dl>{items}</dl>"


def table(
    header: Iterable[str], rows: Iterable[Iterable[Any]], *, sortable: bool = False, folding: bool = False
) -> str:
    """A table that scrolls in its own box, its first column staying in sight; cells may fold."""
    head = "".join(_cell("th", name) for name in header)
    body = "".join(f"<tr>{''.join(_cell('td', cell) for cell in row)}</tr>" for row in rows)
    kinds = " ".join(name for name, on in (("sortable", sortable), ("folding", folding)) if on)
    return (
        f'<div class="scroll" tabindex="0"><table class="{kinds}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(tag: str, content: Any) -> str:
    """Lines stay lines; a setting's name may be cut at its underscores."""
    text = html.escape(str(content)).replace("\n", "<br>")
    return f"<{tag}>{text.replace('_', '_<wbr>') if tag == 'th' else text}</{tag}>"


def below(figure: str) -> str:
    """A figure with its interval on a line of its own, neither to be broken."""
    value, *interval = figure.split(" [")
    return "\n".join([value, *(_unbroken(f"[{ends}") for ends in interval)])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _short(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
