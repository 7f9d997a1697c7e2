"""The report's text and tables, from a study's facts and frames, as HTML."""

import html
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import optuna
import pandas as pd

from amnl_tune import __version__
from amnl_tune.results.budgets import Use
from amnl_tune.results.frames import RUN_COLUMNS
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.spec import StudySpec

__all__ = ["answer", "budget", "leaderboard", "provenance", "scored", "table", "warnings"]

MOST_ROWS = 500
UNITS = {"wall_time": ("wall time (h)", 3600.0), "accelerator_hours": ("accelerator hours", 1.0)}


def answer(facts: dict[str, Any]) -> str:
    """What was found, in a sentence."""
    promotion, best = facts["promotion"], facts["best_trials"]
    if promotion and promotion["scored"]:
        winner, defaults, mean = promotion["winner"], promotion["published_defaults"], promotion["mean_predictor"]
        found = (
            f"Trial {winner['trial']}, trained at full length, predicts the RUL of {promotion['test_engines']} unseen "
            f"test engines with an RMSE of {winner['test_rmse']:.2f} cycles and a NASA score of "
            f"{winner['nasa_score']:.0f}"
        )
        if defaults and defaults["trial"] != winner["trial"]:
            found += f", the published defaults with {defaults['test_rmse']:.2f} and {defaults['nasa_score']:.0f}"
            words = (promotion.get("comparison") or {}).get("words")
            found += f": {words}" if words else ""
        elif defaults:
            found += "; it is the published defaults: the search found nothing better"
        return f"{found}; always predicting the mean gives {mean['test_rmse']:.2f} and {mean['nasa_score']:.0f}."
    if best:
        return (
            f"Trial {best[0]['trial']} is the best so far, with a validation RMSE of {best[0]['validation_rmse']:.2f} "
            "cycles; it has not been promoted, so no test engine has been looked at."
        )
    return "No trial has completed yet."


def warnings(facts: dict[str, Any]) -> list[str]:
    """What takes from the figures' worth."""
    promotion = facts["promotion"] or {}
    said = []
    if facts["dataset"].startswith("SIM"):
        said.append("Simulated data. These figures say nothing about real engines.")
    looks = promotion.get("looks_at_test") or 0
    if looks > 1:
        forced = "; the later looks were forced" if promotion.get("forced") else ""
        said.append(f"Looked at again. The test engines were scored {looks} times by this study{forced}.")
    contaminated = promotion.get("contaminated")
    if contaminated:
        claims = "; ".join(
            f"{claim['best_test_rmse']:.2f} instead of {claim['honest_test_rmse']:.2f} (trial {claim['trial']}, seed "
            f"{claim['seed']}, epoch {claim['best_test_epoch']})"
            for claim in contaminated["claims"]
        )
        claimed = f" A choice by them would have claimed a test RMSE of {claims}." if claims else ""
        said.append(f"Contaminated. {contaminated['by']} looked at the test engines after every epoch.{claimed}")
    check = promotion.get("proxy_check") or {}
    if check.get("warning"):
        said.append(f"Short trials. In this study {check['warning']}.")
    return said


def scored(facts: dict[str, Any]) -> str:
    """Promoted configuration, published defaults and mean predictor, with intervals; and the proxy check."""
    promotion = facts["promotion"]
    if not promotion or not promotion["scored"]:
        return ""
    compared = promotion.get("comparison") or {}
    rows = [("promoted", promotion["winner"], "winner")]
    defaults = promotion["published_defaults"]
    if defaults and defaults["trial"] != promotion["winner"]["trial"]:
        rows.append(("published defaults", defaults, "incumbent"))
    rows.append(("mean predictor", promotion["mean_predictor"], ""))
    cells = [
        (name, score.get("trial", ""), _number(score.get("validation_rmse")),
         _interval(score["test_rmse"], compared.get(f"{side}_rmse"), 2),
         _interval(score["nasa_score"], compared.get(f"{side}_nasa"), 0), len(score.get("seeds", ())) or "")
        for name, score, side in rows
    ]  # fmt: skip
    header = ("", "trial", "validation RMSE (cycles)", "test RMSE (cycles)", "NASA score", "seeds")
    looks = promotion["looks_at_test"]
    how = "once" if looks == 1 else f"{looks} times"
    return f"<h2>Full-length runs, scored {how} on the test engines</h2>{table(header, cells)}{_explained(promotion)}"


def _explained(promotion: dict[str, Any]) -> str:
    compared, check = promotion.get("comparison"), promotion.get("proxy_check") or {}
    said = []
    if compared:
        of_k = f" corrected for the best of {compared['candidates']}," if compared["candidates"] > 1 else ""
        said.append(f"Against the published defaults: {compared['words']}. 95% intervals,{of_k} by bootstrap over "
                    "engines and seeds.")  # fmt: skip
    if check.get("spearman") is not None:
        said.append(
            f"Short trials and full runs rank alike with a correlation of {check['spearman']:.2f} over "
            f"{len(check['configurations'])} configurations; regret {check['regret']:.2f} cycles."
        )
    return "".join(f"<p>{html.escape(text)}</p>" for text in said)


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
        "Promotion": f"{full.epochs} epochs, seeds {', '.join(map(str, full.seeds))} (the study file's)",
        "Trials": f"{trials['complete']} complete, {trials['pruned']} pruned, {trials['fail']} failed of "
        f"{trials['budget']}; {facts['epochs']} epochs",
        "Storage": ledger.url.render_as_string(hide_password=True),
        "Report": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, amnl-tune {__version__}, Optuna {optuna.__version__}",
    }
    if promotion.get("scored"):
        at = datetime.fromtimestamp(promotion["scored_at"], UTC)
        told["Test engines"] = (
            f"scored {at:%Y-%m-%d %H:%M} UTC by {promotion['scored_by']}, SHA-256 {promotion['test_data_sha256']}"
        )
    told |= {f"Trial {failure['trial']}": f"failed: {failure['reason']}" for failure in facts["failures"]}
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in told.items())
    return f"<h2>How it was made</h2><dl>{items}</dl>"


def table(
    header: Iterable[str], rows: Iterable[Iterable[Any]], *, long: int | None = None, sortable: bool = False
) -> str:
    """A table that scrolls in its own box; column `long` may fold."""
    head = "".join(f"<th{' class=long' if i == long else ''}>{html.escape(name)}</th>" for i, name in enumerate(header))
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=long' if i == long else ''}>{html.escape(str(cell))}</td>" for i, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    kind = " class=sortable" if sortable else ""
    return f'<div class="scroll"><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _interval(value: float, estimate: dict[str, Any] | None, digits: int) -> str:
    interval = f" [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]" if estimate else ""
    return f"{value:.{digits}f}{interval}"


def _short(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
