"""One self-contained HTML file that tells what a study found and how."""

import html
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import plotly.graph_objects as go
import plotly.offline

from amnl_tune.database.engine import Ledger, database_time
from amnl_tune.database.urls import shown_url
from amnl_tune.files import write_content
from amnl_tune.ledger.progress import Use, budget_uses
from amnl_tune.ledger.studies import Study
from amnl_tune.results import sentences
from amnl_tune.results.facts import summarize
from amnl_tune.results.frames import RUN_COLUMNS, trials_frame
from amnl_tune.results.gallery import pictures
from amnl_tune.results.sentences import answer, warnings
from amnl_tune.studies.spec import StudySpec
from amnl_tune.version import __version__

STYLE = """
:root { color-scheme: light dark; --line: #8886; --text: #1a1a1a; --page: #fff; --soft: #8881; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e8; --page: #16181c; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .3rem; } .caption { margin: 0; opacity: .75; }
.answer { font-size: 1.15rem; } .warning { border: 2px solid #D55E00; padding: .6rem 1rem; border-radius: .4rem; }
.scroll { overflow-x: auto; background:
  linear-gradient(to right, var(--page) 1.5rem, transparent) local,
  linear-gradient(to left, var(--page) 1.5rem, transparent) right / 1.5rem 100% no-repeat local,
  linear-gradient(to left, #888b, transparent) right / 1rem 100% no-repeat scroll; }
.scroll:focus-visible { outline: 2px solid #0072B2; }
table { border-collapse: collapse; width: 100%; overflow-wrap: normal; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th, .folding td { white-space: normal; } th { vertical-align: bottom; }
.folding th, .folding td { padding: .35rem .45rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; position: sticky; left: 0; z-index: 1;
  background: var(--page); }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid #0072B2; }
th button::after { content: " \\2195"; opacity: .4; }
[aria-sort=ascending] button::after { content: " \\2191"; opacity: 1; }
[aria-sort=descending] button::after { content: " \\2193"; opacity: 1; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  th, td { padding: .35rem .4rem; font-size: .9rem; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
}
.js-plotly-plot text:not(.hoverlayer text, .heatmap-label text) { fill: var(--text) !important; } figure { margin: 0; }
.warning b { color: #D55E00; }
@media print {
  body { max-width: none; margin: 0; } h2, .caption { break-after: avoid; }
  .drawn, figure, tr { break-inside: avoid; }
  .scroll { overflow: visible; background: none; }
  th, td { white-space: normal; font-size: .8rem; padding: .25rem .35rem; position: static !important; }
  .folding th, .folding td { padding: .25rem .35rem; }
  .sortable th, .sortable td { font-size: .6rem; padding: .15rem .2rem; }
  th button::after { content: none !important; }
}
"""
SCRIPT = """
const drawn = () => document.querySelectorAll(".js-plotly-plot");
const onPaper = 820;  // pixels that a page has room for under a heading and a caption
addEventListener("beforeprint", () => drawn().forEach(figure => {
  figure.dataset.height = figure.layout.height;
  Plotly.relayout(figure, {width: 680, height: Math.min(figure.layout.height, onPaper)});
}));
addEventListener("afterprint", () => drawn().forEach(figure =>
  Plotly.relayout(figure, {width: null, height: Number(figure.dataset.height), autosize: true})));
document.querySelectorAll("table.sortable th").forEach((head, column) => {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const rising = head.getAttribute("aria-sort") !== "ascending", body = head.closest("table").tBodies[0];
    const key = row => row.cells[column].textContent, number = text => parseFloat(text.replace("#", ""));
    const compare = (a, b) => (number(key(a)) - number(key(b))) || key(a).localeCompare(key(b));
    const rows = [...body.rows].sort((a, b) => rising ? compare(a, b) : compare(b, a));
    head.parentElement.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    body.append(...rows);
  });
});
"""

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


def write_report(study: Study, path: Path) -> None:
    """Writes the report. Raises StudyError for an unknown study, StorageError if the file cannot be written."""
    write_content(path, report_page(study).encode())


def report_page(study: Study) -> str:
    """The report; a study without a promotion or without a complete trial gets one that says so. Raises StudyError."""
    facts = summarize(study)
    with study.ledger.read() as session:
        uses = budget_uses(session, [study.row], database_time(session))[study.name]
    trials = trials_frame(study)
    said = []
    for warning in warnings(facts):
        first, rest = warning.split(". ", 1)
        said.append(f'<p class="warning"><b>{html.escape(first)}.</b> {html.escape(rest)}</p>')
    body = [
        f"<h1>{html.escape(facts['study'])}</h1>",
        f"<p>{html.escape(facts['question'])}</p>",
        *said,
        f'<p class="answer">{html.escape(answer(facts))}</p>',
        scored(facts),
        leaderboard(trials),
        *(drawn(picture.title, picture.figure, picture.caption) for picture in pictures(study, trials)),
        budget(uses),
        provenance(study.ledger, facts, study.spec),
    ]
    return page(f"{study.name}: amnl-tune report", "\n".join(body))


def page(title: str, body: str) -> str:
    """A whole HTML page around `body`, with plotly's own code in it: it works offline."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<script>{plotly.offline.get_plotlyjs()}</script><body>{body}<script>{SCRIPT}</script></body></html>"
    )


def drawn(title: str, figure: go.Figure, caption: str = "") -> str:
    """A figure under its heading, together on one page."""
    figure.update_layout(paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)")
    config = {"responsive": True, "displayModeBar": False}
    drawing = figure.to_html(full_html=False, include_plotlyjs=False, config=config)
    told = f'<p class="caption">{html.escape(caption)}</p>' if caption else ""
    shown = f'<figure aria-label="{html.escape(title)}">{drawing}</figure>'
    return f'<section class="drawn"><h2>{html.escape(title)}</h2>{told}{shown}</section>'
