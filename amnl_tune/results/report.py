"""One self-contained HTML file that tells what a study found and how."""

import html
from pathlib import Path

import plotly.graph_objects as go
import plotly.offline

from amnl_tune.files import write_content
from amnl_tune.results.budgets import budget_uses
from amnl_tune.results.frames import trials_frame
from amnl_tune.results.gallery import pictures
from amnl_tune.results.report_style import SCRIPT, STYLE
from amnl_tune.results.report_tables import budget, leaderboard, provenance, scored
from amnl_tune.results.sentences import answer, warnings
from amnl_tune.results.summary import summarize
from amnl_tune.search.ledger.engine import Ledger, database_time
from amnl_tune.search.ledger.stored import stored_spec
from amnl_tune.search.ledger.studies import find_study

__all__ = ["drawn", "page", "report_page", "write_report"]


def write_report(ledger: Ledger, study: str, path: Path) -> None:
    """Writes the report. Raises StudyError for an unknown study, StorageError if the file cannot be written."""
    write_content(path, report_page(ledger, study).encode())


def report_page(ledger: Ledger, study: str) -> str:
    """The report; a study without a promotion or without a complete trial gets one that says so. Raises StudyError."""
    facts, row = summarize(ledger, study), find_study(ledger, study)
    with ledger.read() as session:
        uses = budget_uses(session, [row], database_time(session))[study]
    trials = trials_frame(ledger, study)
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
        *(drawn(picture.title, picture.figure, picture.caption) for picture in pictures(ledger, study, trials)),
        budget(uses),
        provenance(ledger, facts, stored_spec(row)),
    ]
    return page(f"{study}: amnl-tune report", "\n".join(body))


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
