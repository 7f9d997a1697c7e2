"""`amnl-tune compare`: several studies side by side."""

from pathlib import Path
from typing import Annotated

import typer

from amnl_tune.cli.options import Home, Json, Storage, existing_ledger, settings

__all__ = ["compare"]


def compare(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Names of studies.")],
    out: Annotated[Path | None, typer.Option(help="Also write one HTML file that works offline.")] = None,
    storage: Storage = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Compare studies, or one question on several data sets: trials, epochs, validation and test figures, verdicts."""
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.files import json_text
    from amnl_tune.results.comparing import HEADER, comparison_frame, shown, write_comparison

    ledger = existing_ledger(settings(storage, home))
    studies = list(dict.fromkeys(studies))
    frame = comparison_frame(ledger, studies)
    if as_json:
        typer.echo(json_text(frame.to_dict("records")))
    else:
        console, table = Console(), Table()
        for name in HEADER[:-1]:
            table.add_column(name.replace(" ", "\n"), overflow="fold")
        for row in shown(frame):
            table.add_row(*(cell.replace(" [", "\n[") for cell in row[:-1]))
        console.print(table)
        for study, *_, verdict in shown(frame):
            console.print(f"{study}: {verdict}", highlight=False, markup=False)
    if out is not None:
        write_comparison(ledger, studies, out)
        typer.echo(str(out), err=True)
