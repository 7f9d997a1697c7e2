"""`amnl-tune compare`: several studies side by side."""

from pathlib import Path
from typing import Annotated

import typer

from amnl_tune.cli.options import Home, Json, Storage, existing_ledger, settings

__all__ = ["compare"]

SHORT = ("network valid. RMSE", "network test RMSE", "network NASA score", "defaults test RMSE", "boosting test RMSE",
         "choice test RMSE")  # fmt: skip
"""Of the figures, one word a line: the table is to fit 80 columns."""


def compare(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Names of studies.")],
    out: Annotated[Path | None, typer.Option(help="Also write one HTML file that works offline.")] = None,
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compare studies, or one question on several data sets: trials, epochs, validation and test figures, verdicts."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.files import json_text
    from amnl_tune.results.comparing import comparison_frame, shown, write_comparison

    ledger = existing_ledger(settings(storage, home))
    studies = list(dict.fromkeys(studies))
    frame = comparison_frame(ledger, studies)
    if as_json:
        typer.echo(json_text(frame.to_dict("records")))
    else:
        console, table = Console(), Table(box=SIMPLE_HEAD, show_edge=False, padding=0)
        for name in ("study", "data set", "trials, epochs", *SHORT):
            table.add_column(name.replace(" ", "\n"), overflow="fold", min_width=max(map(len, name.split())))
        for study, dataset, trials, epochs, *figures, _ in shown(frame):
            table.add_row(study, dataset, f"{trials}\n{epochs}", *(cell.replace(" ", "\n") for cell in figures))
        console.print(table)
        for study, *_, verdict in shown(frame):
            console.print(f"{study}: {verdict}", highlight=False, markup=False)
    if out is not None:
        write_comparison(ledger, studies, out)
        typer.echo(str(out), err=True)
