"""One self-contained HTML file that tells what a study found and how."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import plotly.graph_objects as go
import plotly.offline

from amnl_tune import __version__
from amnl_tune.files import write_content
from amnl_tune.results import figures, frames
from amnl_tune.results.summary import summarize
from amnl_tune.search.ledger.engine import Ledger
from amnl_tune.search.ledger.studies import find_study
from amnl_tune.search.promotion import latest_promotion
from amnl_tune.search.range_test import find_range_test
from amnl_tune.search.scoring import latest_scores
from amnl_tune.search.spec import StudySpec

__all__ = ["answer", "drawn", "page", "report_page", "table", "write_report"]

STYLE = """
:root { color-scheme: light dark; --line: #8886; --text: #1a1a1a; --page: #fff; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --page: #16181c; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
.answer { font-size: 1.15rem; } .warning { border: 2px solid #D55E00; padding: .6rem 1rem; border-radius: .4rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
.long, th:first-child, td:first-child { text-align: left !important; } .long { white-space: normal; min-width: 16rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.js-plotly-plot text:not(.hoverlayer text) { fill: var(--text) !important; } figure { margin: 0; }
.warning b { color: #D55E00; }
@media print {
  body { max-width: none; margin: 0; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; }
  .scroll { overflow: visible; } th, td { white-space: normal; font-size: .8rem; padding: .25rem .4rem; }
}
"""
FIT_PAPER = """
const drawn = () => document.querySelectorAll(".js-plotly-plot");
addEventListener("beforeprint", () => drawn().forEach(figure => Plotly.relayout(figure, {width: 680})));
addEventListener("afterprint", () => drawn().forEach(figure => Plotly.relayout(figure, {width: null, autosize: true})));
"""


def write_report(ledger: Ledger, study: str, path: Path) -> None:
    """Writes the report. Raises StudyError for an unknown study, StorageError if the file cannot be written."""
    write_content(path, report_page(ledger, study).encode())


def report_page(ledger: Ledger, study: str) -> str:
    """The report; a study without a promotion or without a complete trial gets one that says so. Raises StudyError."""
    facts = summarize(ledger, study)
    body = "\n".join(
        [_head(facts), _scores(facts), _trials(facts), *_figures(ledger, study), _provenance(ledger, facts)]
    )
    return page(f"{study}: amnl-tune report", body)


def page(title: str, body: str) -> str:
    """A whole HTML page around `body`, with plotly's own code in it: it works offline."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<script>{plotly.offline.get_plotlyjs()}</script><body>{body}<script>{FIT_PAPER}</script></body></html>"
    )


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
        elif defaults:
            found += "; it is the published defaults: the search found nothing better"
        return f"{found}; always predicting the mean gives {mean['test_rmse']:.2f} and {mean['nasa_score']:.0f}."
    if best:
        return (
            f"Trial {best[0]['trial']} is the best so far, with a validation RMSE of {best[0]['validation_rmse']:.2f} "
            "cycles; it has not been promoted, so no test engine has been looked at."
        )
    return "No trial has completed yet."


def _head(facts: dict[str, Any]) -> str:
    parts = [f"<h1>{html.escape(facts['study'])}</h1>", f"<p>{html.escape(facts['question'])}</p>"]
    if facts["dataset"].startswith("SIM"):
        parts.append('<p class="warning"><b>Simulated data.</b> These figures say nothing about real engines.</p>')
    if facts["promotion"] and facts["promotion"].get("forced"):
        looks = facts["promotion"]["looks_at_test"]
        parts.append(f'<p class="warning">The test engines were scored {looks} times; the later looks were forced.</p>')
    return "\n".join([*parts, f'<p class="answer">{html.escape(answer(facts))}</p>'])


def _scores(facts: dict[str, Any]) -> str:
    promotion = facts["promotion"]
    if not promotion or not promotion["scored"]:
        return ""
    rows = [("promoted", promotion["winner"])]
    defaults = promotion["published_defaults"]
    if defaults and defaults["trial"] != promotion["winner"]["trial"]:
        rows.append(("published defaults", defaults))
    rows.append(("mean predictor", promotion["mean_predictor"]))
    cells = [
        (name, score.get("trial", ""), _number(score.get("validation_rmse")), _number(score["test_rmse"]),
         f"{score['nasa_score']:.0f}", len(score.get("seeds", ())) or "")
        for name, score in rows
    ]  # fmt: skip
    header = ("", "trial", "validation RMSE (cycles)", "test RMSE (cycles)", "NASA score", "seeds")
    looks = promotion["looks_at_test"]
    how = "once" if looks == 1 else f"{looks} times"
    return f"<h2>Full-length runs, scored {how} on the test engines</h2>{table(header, cells)}"


def _trials(facts: dict[str, Any]) -> str:
    if not facts["best_trials"]:
        return ""
    cells = [
        (
            trial["trial"],
            _number(trial["validation_rmse"]),
            trial["origin"],
            ", ".join(f"{n} {v:.3g}" if isinstance(v, float) else f"{n} {v}" for n, v in trial["parameters"].items()),
        )
        for trial in facts["best_trials"]
    ]
    return f"<h2>Best trials</h2>{table(('trial', 'validation RMSE (cycles)', 'from', 'parameters'), cells, long=3)}"


def _figures(ledger: Ledger, study: str) -> list[str]:
    trials = frames.trials_frame(ledger, study)
    history = frames.history_frame(trials)
    parts = []
    if len(history):
        parts.append(drawn("Search history", figures.history_figure(history)))
        parts.append(
            drawn("Learning curves of the trials", figures.learning_curves_figure(frames.epochs_frame(ledger, study)))
        )
        axes = figures.parallel_axes(trials)
        if len(axes) > 1:
            parts.append(drawn("Settings of the complete trials", figures.parallel_figure(axes)))
    importance = frames.importance_frame(ledger, study)
    if len(importance):
        parts.append(drawn("What matters, as far as the trials can tell", figures.importance_figure(importance)))
    row = find_study(ledger, study)
    test = find_range_test(ledger, row.range_test_key) if row.range_test_key else None
    if test:
        parts.append(drawn("LR range test", figures.range_test_figure(test)))
    promotion, scores = latest_promotion(ledger, study), latest_scores(ledger, study)
    if promotion:
        epochs = frames.epochs_frame(ledger, study, promotion=promotion.number)
        parts.append(drawn("Full-length runs", figures.learning_curves_figure(epochs)))
    if scores:
        parts.append(drawn("Predicted and true RUL", figures.prediction_figure(frames.test_frame(scores))))
    return parts


def drawn(title: str, figure: go.Figure) -> str:
    """A figure under its heading."""
    figure.update_layout(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
    config = {"responsive": True, "displayModeBar": False}
    drawing = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    return f'<h2>{html.escape(title)}</h2><figure aria-label="{html.escape(title)}">{drawing}</figure>'


def _provenance(ledger: Ledger, facts: dict[str, Any]) -> str:
    trials = facts["trials"]
    spec = StudySpec.from_json(find_study(ledger, facts["study"]).spec)
    full = spec.promotion
    facts_told = {
        "Data set": f"{facts['dataset']}, SHA-256 {facts['data_sha256']}",
        "Study file": f"fingerprint {facts['fingerprint']}",
        "Search": f"{spec.trial.epochs} epochs a trial, {spec.sampler.name}, {spec.pruner.name}, seed {spec.seed}",
        "Promotion": f"{full.epochs} epochs, seeds {', '.join(map(str, full.seeds))} (the study file's)",
        "Trials": f"{trials['complete']} complete, {trials['pruned']} pruned, {trials['fail']} failed of "
        f"{trials['budget']}; {facts['epochs']} epochs",
        "Storage": ledger.url.render_as_string(hide_password=True),
        "Report": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, amnl-tune {__version__}, Optuna {optuna.__version__}",
    }
    facts_told |= {f"Trial {failure['trial']}": f"failed: {failure['reason']}" for failure in facts["failures"]}
    items = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in facts_told.items())
    return f"<h2>How it was made</h2><dl>{items}</dl>"


def table(header: Iterable[str], rows: Iterable[Iterable[Any]], *, long: int | None = None) -> str:
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
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
