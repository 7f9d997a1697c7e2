"""`amnl-tune verify`: an export's files and figures, checked again."""

from pathlib import Path
from typing import Annotated

import typer

from amnl_tune.cli.options import DataDir, Json, settings

__all__ = ["verify"]


def verify(
    bundle: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of an export.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Check an export: its files by their checksums, its figures by scoring it again. Needs no database.

    The figures are known already, so that this is no further look at the test engines.
    """
    from rich.console import Console
    from rich.table import Table

    from amnl_tune.errors import BundleError
    from amnl_tune.files import json_text
    from amnl_tune.results.verification import verify as verified
    from amnl_tune.rul.sources import FleetSource

    figures = verified(bundle, FleetSource(settings(None, None, data_dir).data_dirs))
    if as_json:
        typer.echo(json_text([vars(figure) | {"equal": figure.equal} for figure in figures]))
    else:
        table = Table("figure", "recorded", "recomputed", "equal")
        for figure in figures:
            shown = (
                "not finite" if value is None else f"{value:.4f}" for value in (figure.recorded, figure.recomputed)
            )
            table.add_row(figure.name, *shown, "yes" if figure.equal else "[red]no[/]")
        Console().print(table)
    wrong = [figure.name for figure in figures if not figure.equal]
    if wrong:
        raise BundleError(
            f"An export's figures must come out again, but {', '.join(wrong)} of {bundle} differ; export it again, or "
            "compare the versions in its config.toml"
        )
